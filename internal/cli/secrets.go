package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"

	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// secretFiles are the files that a creation's secrets are written to.
type secretFiles struct {
	paths  map[string]*string  // by the secret's name; "" without the flag
	open   map[string]*os.File // made before the request is sent
	unused []string            // secrets that the answer did not have
}

func addSecretFlags(cmd *cobra.Command, k *resource.Kind) *secretFiles {
	s := &secretFiles{paths: map[string]*string{}, open: map[string]*os.File{}}
	for _, secret := range k.Secrets {
		s.paths[secret.Name] = cmd.Flags().String(kebab(secret.Name)+"-out", "", "new `FILE`, readable only by you, for what is answered once: "+secret.Doc)
	}
	return s
}

// example is the flags that keep the secrets.
func (s *secretFiles) example(k *resource.Kind) string {
	example := ""
	for _, name := range sortedKeys(s.paths) {
		example += " --" + kebab(name) + "-out my-" + k.Name
	}
	return example
}

// reserve makes the files. It comes before the request, so that a secret that is
// answered only once has a place, and no file is overwritten.
func (s *secretFiles) reserve() error {
	for _, name := range sortedKeys(s.paths) {
		path := *s.paths[name]
		if path == "" {
			continue
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			s.release()
			if errors.Is(err, fs.ErrExist) {
				return usageError("--%s-out: the file %s exists and is not overwritten; name another", kebab(name), path)
			}
			return usageError("--%s-out: %w", kebab(name), err)
		}
		s.open[name] = f
	}
	return nil
}

// release removes the files that got no secret.
func (s *secretFiles) release() {
	for name, f := range s.open {
		_ = f.Close()
		_ = os.Remove(f.Name())
		delete(s.open, name)
	}
}

// save moves the secrets from the operation to their files. One that cannot be
// written stays in the operation, to be shown.
func (s *secretFiles) save(op *api.Operation) error {
	var failed error
	for _, name := range sortedKeys(s.open) {
		f := s.open[name]
		secret, ok := op.Secrets[name]
		if !ok {
			s.unused = append(s.unused, name)
			continue
		}
		_, err := f.WriteString(secret)
		if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
			failed = errors.Join(failed, fmt.Errorf("write the %s to %s; it is shown instead: %w", name, f.Name(), err))
			continue
		}
		delete(op.Secrets, name)
		delete(s.open, name)
	}
	s.release()
	return failed
}

// typeOf is the Go type of a kind's resources, for the short forms of its fields.
func typeOf(k *resource.Kind) reflect.Type {
	return reflect.StructOf([]reflect.StructField{
		{Name: "Spec", Type: k.SpecType(), Tag: `json:"spec"`},
		{Name: "Effective", Type: k.SpecType(), Tag: `json:"effective"`},
		{Name: "Status", Type: k.StatusType(), Tag: `json:"status"`},
	})
}
