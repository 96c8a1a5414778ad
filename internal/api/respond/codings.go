package respond

import (
	"bytes"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	zstdCoding = "zstd"
	gzipCoding = "gzip"
)

// forms are those in which an answer may be asked for: as it is, and in each coding.
const forms = 3

// Codings make answers, and compress them as fast as it goes. They use their tables, which are
// larger than most answers, again. The zero value is ready, and safe for concurrent use.
type Codings struct{ gzip, zstd sync.Pool }

func (c *Codings) compress(coding string, raw []byte) []byte {
	if coding == zstdCoding {
		return c.toZstd(raw)
	}
	return c.toGzip(raw)
}

func (c *Codings) toGzip(raw []byte) []byte {
	w, ok := c.gzip.Get().(*gzip.Writer)
	if !ok {
		w, _ = gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // the level is one
	}
	var b bytes.Buffer
	w.Reset(&b)
	_, _ = w.Write(raw) // a buffer takes everything
	_ = w.Close()
	w.Reset(io.Discard) // it need not hold the answer
	c.gzip.Put(w)
	return b.Bytes()
}

func (c *Codings) toZstd(raw []byte) []byte {
	w, ok := c.zstd.Get().(*zstd.Encoder)
	if !ok {
		w, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true)) // the options are ones
	}
	defer c.zstd.Put(w)
	return w.EncodeAll(raw, nil)
}
