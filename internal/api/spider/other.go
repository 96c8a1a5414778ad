package spider

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// otherRoutes are those that are about no one type of resources.
func (s *server) otherRoutes() []route {
	const get, post, del = http.MethodGet, http.MethodPost, http.MethodDelete
	all := []route{
		{method: post, path: "/tag", needs: right{resource.ActionLabel, "", ofType}, handle: addTag},
		{method: get, path: "/tag", needs: right{people.Read, "", ofType}, handle: listTags},
		{method: get, path: "/tag/{Key}", needs: right{people.Read, "", ofType}, handle: getTag},
		{method: del, path: "/tag/{Key}", needs: right{resource.ActionLabel, "", ofType}, handle: removeTag},
		{method: post, path: "/anycall", needs: right{people.Extend, people.Connection, connected}, handle: anyCall},
		{method: del, path: "/destroy", needs: right{people.Delete, people.Resources, connected}, handle: destroy},
		{method: get, path: "/cspresourcename/{Name}", needs: right{people.Read, "", ofType}, handle: nameOnCloud},
		{method: get, path: "/cspresourceinfo/{Name}", needs: right{people.Read, "", ofType}, handle: infoOnCloud},
		{method: get, path: "/splockinfo", needs: right{people.Read, people.Connection, somewhere}, handle: func(*request) (any, error) { return map[string]any{"splockinfo": []string{}}, nil }}, // nothing is locked
	}
	for _, method := range []string{get, post} {
		all = append(all,
			route{method: method, path: "/getvmusingresources", needs: right{people.Read, resource.VM.Name, connected}, handle: usedByVM},
			route{method: method, path: "/getsecuritygroupowner", needs: right{people.Read, resource.SecurityGroup.Name, connected}, handle: ownerOf(securityGroup(), "SecurityGroup")},
			route{method: method, path: "/getnlbowner", needs: right{people.Read, resource.NLB.Name, connected}, handle: ownerOf(nlb(), "NLB")},
			route{method: method, path: "/getclusterowner", needs: right{people.Read, resource.Cluster.Name, connected}, handle: ownerOf(cluster(), "Cluster")},
		)
	}
	return all
}

func (s *server) nicRoutes() []route {
	return []route{{method: http.MethodGet, path: "/nic/{Name}/osconfigscript", needs: right{people.Read, resource.NIC.Name, connected}, handle: nic().osConfigScript}}
}

func (s *server) nlbRoutes() []route {
	return []route{{method: http.MethodGet, path: "/nlb/{Name}/health", needs: right{people.Read, resource.NLB.Name, connected}, handle: nlb().health}}
}

// typed finds the type of resources that a call is about by its word.
func (r *request) typed() (*kind, error) {
	word, err := r.need("ResourceType")
	if err != nil {
		return nil, err
	}
	known := append(kinds(), subnet())
	var words []string
	for _, k := range known {
		if strings.EqualFold(k.word, word) || strings.EqualFold(k.path, word) {
			return k, nil
		}
		words = append(words, k.word)
	}
	return nil, invalid("ResourceType", "%q is not one of: %s", shorten(word), strings.Join(words, ", "))
}

// tagged finds the resource whose tags a call is about.
func (r *request) tagged() (*kind, *resource.Resource, error) {
	k, err := r.typed()
	if err != nil {
		return nil, nil, err
	}
	connection, err := r.connection()
	if err != nil {
		return nil, nil, err
	}
	name, err := r.need("ResourceName")
	if err != nil {
		return nil, nil, err
	}
	owner, err := k.ownerOf(r, connection)
	if err != nil {
		return nil, nil, err
	}
	found, err := k.find(r, connection, owner, name)
	return k, found, err
}

func (k *kind) label(r *request, found *resource.Resource, change resource.LabelChange) error {
	op, err := k.act(r, found, resource.ActionLabel, change)
	if err == nil {
		_, err = r.wait(op)
	}
	return err
}

func addTag(r *request) (any, error) {
	k, found, err := r.tagged()
	if err != nil {
		return nil, err
	}
	var req struct{ Tag struct{ Key, Value text } }
	if err := r.decode(&req); err != nil {
		return nil, err
	}
	if req.Tag.Key == "" {
		return nil, invalid("Tag.Key", "is empty!")
	}
	tag := KeyValue{string(req.Tag.Key), string(req.Tag.Value)}
	return tag, k.label(r, found, resource.LabelChange{Set: map[string]string{tag.Key: tag.Value}})
}

func listTags(r *request) (any, error) {
	k, found, err := r.tagged()
	if err != nil {
		return nil, err
	}
	return map[string]any{"tag": list(tags(found.Labels)), "resourceType": strings.ToUpper(k.word)}, nil
}

func (r *request) tag() (*kind, *resource.Resource, string, error) {
	k, found, err := r.tagged()
	if err != nil {
		return nil, nil, "", err
	}
	key, err := r.param("Key")
	if err == nil {
		if _, ok := found.Labels[key]; !ok {
			err = resource.Errorf(resource.CodeNotFound, "the tag %s does not exist on %s '%s'", shorten(key), k.title, called(found))
		}
	}
	return k, found, key, err
}

func getTag(r *request) (any, error) {
	_, found, key, err := r.tag()
	if err != nil {
		return nil, err
	}
	return KeyValue{key, found.Labels[key]}, nil
}

func removeTag(r *request) (any, error) {
	k, found, key, err := r.tag()
	if err != nil {
		return nil, err
	}
	return done(), k.label(r, found, resource.LabelChange{Remove: []string{key}})
}

// AnyCall is an operation that only one driver has, in CB-Spider's form.
type AnyCall struct {
	FID           string
	IKeyValueList []KeyValue
	OKeyValueList []KeyValue
}

// anyCall runs an extension of the driver.
func anyCall(r *request) (any, error) {
	connection, err := r.connection()
	if err != nil {
		return nil, err
	}
	var req struct {
		FID           text
		IKeyValueList KeyValues
	}
	if err := r.decode(&req); err != nil {
		return nil, err
	}
	c, err := r.server.Registry.Connection(r.Context(), connection)
	if err != nil {
		return nil, err
	}
	d, err := r.server.Registry.Driver(r.Context(), c.Cloud)
	if err != nil {
		return nil, err
	}
	name := ""
	for _, e := range d.Extensions {
		if strings.EqualFold(e.Name, string(req.FID)) {
			name = e.Name
		}
	}
	if name == "" {
		return nil, resource.Errorf(resource.CodeUnsupported, "%s Driver: %s Function is not implemented!", capital(d.Name), shorten(string(req.FID)))
	}
	call := AnyCall{FID: string(req.FID), IKeyValueList: []KeyValue{}, OKeyValueList: []KeyValue{}}
	for _, kv := range req.IKeyValueList {
		call.IKeyValueList = append(call.IKeyValueList, KeyValue{string(kv.Key), string(kv.Value)})
	}
	input, err := json.Marshal(req.IKeyValueList.labels())
	if err != nil {
		return nil, err
	}
	output, err := r.server.Registry.Extend(r.Context(), connection, name, input)
	if err != nil {
		return nil, err
	}
	fields := read[map[string]json.RawMessage](output)
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		var value text
		if json.Unmarshal(fields[key], &value) != nil {
			value = text(fields[key])
		}
		call.OKeyValueList = append(call.OKeyValueList, KeyValue{capital(key), string(value)})
	}
	return call, nil
}

// Destroyed is what became of everything in a connection.
type Destroyed struct {
	IsAllDestroyed               bool
	DeletedAllListByResourceType []DestroyedType
}

// DestroyedType is what became of the resources of one type.
type DestroyedType struct {
	ResourceType          string
	IsAllDeleted          bool
	DeletedIIDList        []IID
	RemainedErrorInfoList []RemainedError
}

// RemainedError is why one remained.
type RemainedError struct{ Name, ErrorMsg string }

// destroy deletes everything of a connection. With dryrun it tells what that would
// be.
func destroy(r *request) (any, error) {
	connection, err := r.connection()
	if err != nil {
		return nil, err
	}
	dry, err := r.text("dryrun")
	if err != nil {
		return nil, err
	}
	d, err := r.server.Engine.Destroy(r.Context(), connection, strings.EqualFold(dry, "true"))
	if err != nil {
		return nil, err
	}
	failed := map[string]error{}
	if d.Operation != nil {
		if r.async() {
			return accepted(d.Operation), nil
		}
		if _, err = r.wait(d.Operation); err != nil && r.Context().Err() != nil {
			return nil, err
		}
		if failed, err = r.remained(d.Operation.ID); err != nil {
			return nil, err
		}
	}
	return destroyed(d.Items, failed), nil
}

// remained answers the errors of the parts of an operation that failed, by kind and
// name.
func (r *request) remained(id string) (map[string]error, error) {
	failed := map[string]error{}
	query := partsOf(id)
	for {
		parts, next, err := r.server.Engine.Operations(r.Context(), query)
		if err != nil {
			return nil, err
		}
		for _, part := range parts {
			if part.State != api.OperationSucceeded && part.Error != nil {
				failed[part.Kind+"/"+part.Name] = part.Error
			}
		}
		if next == "" {
			return failed, nil
		}
		query.Token = next
	}
}

func destroyed(doomed []resource.Resource, failed map[string]error) Destroyed {
	answer := Destroyed{IsAllDestroyed: len(failed) == 0, DeletedAllListByResourceType: []DestroyedType{}}
	types := &answer.DeletedAllListByResourceType
	for _, one := range doomed {
		word := kindOf(one.Kind).word
		if word == "" {
			word = one.Kind
		}
		if n := len(*types); n == 0 || (*types)[n-1].ResourceType != word {
			*types = append(*types, DestroyedType{ResourceType: word, IsAllDeleted: true})
		}
		last := &(*types)[len(*types)-1]
		if err := failed[one.Kind+"/"+one.Name]; err != nil {
			last.IsAllDeleted = false
			last.RemainedErrorInfoList = append(last.RemainedErrorInfoList, RemainedError{called(&one), err.Error()})
		} else {
			last.DeletedIIDList = append(last.DeletedIIDList, IID{called(&one), one.CloudID})
		}
	}
	return answer
}

// nameOnCloud answers what a resource is called on the cloud.
func nameOnCloud(r *request) (any, error) {
	k, at, err := r.typedName()
	if err != nil {
		return nil, err
	}
	found, err := k.find(r, at.connection, at.owner, at.name)
	if err != nil {
		return nil, err
	}
	inventory, err := r.server.Inventory.Compare(r.Context(), at.connection, k.of.Name)
	if err != nil {
		return nil, err
	}
	for _, item := range inventory.Items {
		if item.Name == found.Name && (item.Where == api.InBoth || item.Where == api.InKept) {
			return struct{ Name string }{cmp.Or(item.CloudName, item.CloudID)}, nil
		}
	}
	return nil, k.missing(at.name, at.connection)
}

// infoOnCloud answers the cloud's own fields of a resource, by its name or cloud id.
func infoOnCloud(r *request) (any, error) {
	k, at, err := r.typedName()
	if err != nil {
		return nil, err
	}
	v := r.onCloud(at.connection)
	object, err := v.object(k.of.Name, at.name)
	if err != nil {
		return nil, err
	}
	if object != nil {
		return object.Native, nil
	}
	for _, object := range v.all(k.of.Name) {
		if object.UID != "" && called(object) == at.name {
			return object.Native, nil
		}
	}
	return nil, resource.Errorf(resource.CodeNotFound, "%s %s iid does not exist!!", shorten(at.name), k.word)
}

func (r *request) typedName() (k *kind, at target, err error) {
	if k, err = r.typed(); err == nil {
		at, err = k.target(r)
	}
	return k, at, err
}

// unregistered finds what the cloud knows by an id and nobody has registered yet. word is
// what a message calls such a thing.
func (k *kind) unregistered(r *request, word string) (*view, *resource.Resource, error) {
	connection, err := r.connection()
	if err != nil {
		return nil, nil, err
	}
	id, err := r.need("CSPId")
	if err != nil {
		return nil, nil, err
	}
	known, err := k.registered(r, connection, id)
	if err != nil {
		return nil, nil, err
	}
	if known != nil {
		return nil, nil, resource.Errorf(resource.CodeAlreadyExists, "%s '%s' already exists in connection '%s': it is registered with the SystemId '%s'", k.title, called(known), connection, shorten(id))
	}
	v := r.onCloud(connection)
	found, err := v.object(k.of.Name, id)
	if found == nil && err == nil {
		err = resource.Errorf(resource.CodeNotFound, "%s %s does not exist!!", shorten(id), word)
	}
	return v, found, err
}

// registered answers what an object on the cloud refers to: without a name if nobody has
// registered it, so that clients see what is to be registered first.
func (v *view) registered(kind, name string) IID {
	id := v.iid(kind, name)
	if found := v.named(kind, name); found == nil || found.UID == "" {
		id.NameId = ""
	}
	return id
}

// ownerOf answers the VPC that something on the cloud belongs to.
func ownerOf(k *kind, word string) func(*request) (any, error) {
	return func(r *request) (any, error) {
		v, found, err := k.unregistered(r, word)
		if err != nil {
			return nil, err
		}
		id := v.registered(resource.VPC.Name, read[struct{ VPC string }](found.Effective).VPC)
		return id, v.err
	}
}

// VMUsing is what a VM uses.
type VMUsing struct {
	Resources struct {
		VPC    IID
		SGList []IID
		VMKey  *IID `json:",omitempty"`
	}
}

func usedByVM(r *request) (any, error) {
	v, found, err := vm().unregistered(r, "vm iid")
	if err != nil {
		return nil, err
	}
	spec := read[resource.VMSpec](found.Effective)
	var using VMUsing
	if subnet := v.named(resource.Subnet.Name, spec.Subnet); subnet != nil {
		using.Resources.VPC = v.registered(resource.VPC.Name, read[resource.SubnetSpec](subnet.Effective).VPC)
	}
	using.Resources.SGList = []IID{}
	for _, group := range spec.SecurityGroups {
		using.Resources.SGList = append(using.Resources.SGList, v.registered(resource.SecurityGroup.Name, group))
	}
	if spec.KeyPair != "" {
		key := v.registered(resource.KeyPair.Name, spec.KeyPair)
		using.Resources.VMKey = &key
	}
	return using, v.err
}
