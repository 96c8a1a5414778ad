package repository

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// writeArchive packs the files of a folder. The same files make the same archive,
// byte for byte: times and owners are left out.
func writeArchive(w io.Writer, dir string) error {
	compressed := gzip.NewWriter(w)
	archive := tar.NewWriter(compressed)
	files := os.DirFS(dir)
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return resource.Errorf(resource.CodeInvalid, "%s is not a plain file; a package has only such", name)
		}
		mode := int64(0o644)
		if info.Mode()&0o111 != 0 {
			mode = 0o755
		}
		if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: info.Size(), Mode: mode, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}); err != nil {
			return err
		}
		f, err := files.Open(name)
		if err != nil {
			return err
		}
		_, err = io.Copy(archive, f)
		return errors.Join(err, f.Close())
	})
	return errors.Join(err, archive.Close(), compressed.Close())
}

// readArchive unpacks an archive into an empty folder. It takes plain files and
// folders below it and nothing else: no links, no devices, no way out of the folder,
// no name twice.
func readArchive(r io.Reader, dir string) error {
	folder, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }()
	compressed, err := gzip.NewReader(r)
	if err != nil {
		return resource.Errorf(resource.CodeInvalid, "the archive is broken: %w", err)
	}
	archive := tar.NewReader(compressed)
	left, files := int64(maxUnpacked), 0
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return resource.Errorf(resource.CodeInvalid, "the archive is broken: %w", err)
		}
		name := path.Clean(h.Name)
		if !fs.ValidPath(name) || strings.Contains(h.Name, `\`) {
			return resource.Errorf(resource.CodeInvalid, "the archive has a file that lies outside of its folder, %.100q; it is refused", h.Name)
		}
		if files++; files > maxFiles {
			return resource.Errorf(resource.CodeInvalid, "the archive has more than %d files", maxFiles)
		}
		switch h.Typeflag {
		case tar.TypeDir:
			if err := folder.MkdirAll(name, 0o700); err != nil {
				return err
			}
		case tar.TypeReg:
			if left -= h.Size; left < 0 {
				return resource.Errorf(resource.CodeInvalid, "the archive unpacks to more than %d GiB", maxUnpacked>>30)
			}
			if err := unpackFile(folder, name, h.FileInfo().Mode(), archive); err != nil {
				return err
			}
		default:
			return resource.Errorf(resource.CodeInvalid, "the archive has %.100q, which is neither a plain file nor a folder; it is refused", h.Name)
		}
	}
}

func unpackFile(folder *os.Root, name string, mode fs.FileMode, r io.Reader) error {
	if err := folder.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := folder.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o400|mode&0o100)
	if errors.Is(err, fs.ErrExist) {
		return resource.Errorf(resource.CodeInvalid, "the archive has %.100q twice; it is refused", name)
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Sync(), f.Close())
}

// hashFolder is one hash over all files of a folder: their names, whether they are
// executable, and what is in them.
func hashFolder(dir string) (string, error) {
	sum := sha256.New()
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is not a plain file", name)
		}
		below, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		f, err := os.Open(name) //nolint:gosec // below a folder of ours
		if err != nil {
			return err
		}
		one := sha256.New()
		_, err = io.Copy(one, f)
		fmt.Fprintf(sum, "%x %t %q\n", one.Sum(nil), info.Mode()&0o100 != 0, below)
		return errors.Join(err, f.Close())
	})
	if err != nil {
		return "", fmt.Errorf("read an installed driver: %w", err)
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}
