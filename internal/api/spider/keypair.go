package spider

import "github.com/m-cmp/mc-infra-connector/resource"

// KeyPairInfo is CB-Spider's key pair. The private key is in the answer to its
// creation and never again.
type KeyPairInfo struct {
	IId          IID
	Fingerprint  string     `json:",omitempty"`
	PublicKey    string     `json:",omitempty"`
	PrivateKey   string     `json:",omitempty"`
	VMUserID     string     `json:",omitempty"`
	TagList      []KeyValue `json:",omitempty"`
	KeyValueList []KeyValue `json:",omitempty"`
}

// hidden is what CB-Spider shows instead of keys and credentials.
const hidden = "Hidden for security."

type keyPairRequest struct{ named }

func keyPair() *kind {
	k := &kind{
		of: resource.KeyPair.Kind, path: "keypair", envelope: "keypair", word: "keypair", title: "VM KeyPair",
		fields: map[string]string{"labels": "TagList"},
	}
	k.create = creates(k.of, func(*translation, keyPairRequest) resource.KeyPairSpec {
		return resource.KeyPairSpec{}
	})
	k.info = func(v *view, r *resource.Resource, secrets map[string]string) any {
		info := KeyPairInfo{
			IId: v.iidOf(r), Fingerprint: read[resource.KeyPairStatus](r.Status).Fingerprint, PublicKey: hidden, PrivateKey: hidden,
			VMUserID: vmUser, TagList: tags(r.Labels), KeyValueList: native(r),
		}
		if key := secrets["privateKey"]; key != "" {
			info.PublicKey, info.PrivateKey = read[resource.KeyPairSpec](r.Effective).PublicKey, key
		}
		return info
	}
	return k
}
