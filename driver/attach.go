package driver

import "github.com/m-cmp/mc-infra-connector/resource"

// Attached reports whether what is to be attached to a VM has it already: another try has
// done it. What another VM has is a conflict; what names the kind for people.
func Attached(what, id, has, wanted string) (done bool, err error) {
	if has == "" || has == wanted {
		return has == wanted, nil
	}
	return false, resource.Errorf(resource.CodeConflict, "the %s %s is attached to the VM %s; detach it first", what, id, has)
}
