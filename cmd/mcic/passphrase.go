package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/internal/cli"
	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// shortestPassphrase is how many bytes a passphrase has at least: a backup can be tried
// at home for years.
const shortestPassphrase = 12

// ageMark is what a file begins with that is encrypted with age.
// https://age-encryption.org/v1
const ageMark = "age-encryption.org/v1"

// readPassphrase reads the first line of a file, or with - of standard input, where it
// asks if that is a terminal. Without a file there is none.
func readPassphrase(cmd *cobra.Command, file string) ([]byte, error) {
	var from io.Reader
	switch {
	case file == "":
		return nil, nil
	case file != "-":
		f, err := os.Open(file) //nolint:gosec // the operator names it
		if err != nil {
			return nil, resource.Errorf(resource.CodeInvalid, "--passphrase-file: %w", err)
		}
		defer func() { _ = f.Close() }()
		if err := secret.CheckPrivate(file); err != nil {
			return nil, resource.Errorf(resource.CodeInvalid, "--passphrase-file: %w", err)
		}
		from = f
	default:
		from = cmd.InOrStdin()
		if ask := cli.OSEnv().ReadSecret; ask != nil && from == os.Stdin {
			text, err := ask(cmd.Context(), "Passphrase of the backup: ")
			if err != nil {
				return nil, fmt.Errorf("read the passphrase: %w", err)
			}
			from = strings.NewReader(text)
		}
	}
	line, err := bufio.NewReader(io.LimitReader(from, maxSmallFile)).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the passphrase: %w", err)
	}
	line = bytes.TrimRight(line, "\r\n")
	if len(line) < shortestPassphrase {
		return nil, resource.Errorf(resource.CodeInvalid, "--passphrase-file: the passphrase is shorter than %d characters; take a longer one", shortestPassphrase)
	}
	return line, nil
}

// encrypted has something written, encrypted if there is a passphrase.
func (o *backupOptions) encrypted(w io.Writer, write func(io.Writer) error) error {
	if o.passphrase == nil {
		return write(w)
	}
	recipient, err := age.NewScryptRecipient(string(o.passphrase))
	if err != nil {
		return err
	}
	out, err := age.Encrypt(w, recipient)
	if err != nil {
		return err
	}
	return errors.Join(write(out), out.Close())
}

// decrypted reads what encrypted has written. What is not encrypted is refused where a
// passphrase is given: somebody may have exchanged the file.
func (o *backupOptions) decrypted(r io.Reader) (io.Reader, error) {
	in := bufio.NewReader(r)
	mark, _ := in.Peek(len(ageMark)) // what is shorter is none
	switch is := string(mark) == ageMark; {
	case is && o.passphrase == nil:
		return nil, errors.New("it is encrypted: give the passphrase with --passphrase-file")
	case !is && o.passphrase != nil:
		return nil, errors.New("it is not encrypted, although a passphrase is given: leave that away if this is the right file")
	case !is:
		return in, nil
	}
	identity, err := age.NewScryptIdentity(string(o.passphrase))
	if err != nil {
		return nil, err
	}
	plain, err := age.Decrypt(in, identity)
	if _, wrong := errors.AsType[*age.NoIdentityMatchError](err); wrong {
		return nil, errors.New("the passphrase is wrong, or it is encrypted for a key of age")
	}
	if err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	return plain, nil
}
