package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/test/mcic"
)

// eventsBench measures what subscribers to events cost a creation of 100 VMs, without
// and with them in turns on the same server.
func eventsBench(ctx context.Context, bin, dir string, subscribers int) (err error) {
	s, err := mcic.Start(ctx, bin, filepath.Join(dir, "events"), "--dev", "--log-level", "error")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	b := newBench(ctx, s)
	if err := b.prepare(); err != nil {
		return err
	}
	var without, with, all []time.Duration
	for i := range 6 { // the first warms up
		alone, err := b.hundred(fmt.Sprintf("a%d", i))
		if err != nil {
			return err
		}
		name := fmt.Sprintf("b%d", i)
		watchers, err := watch(ctx, s, subscribers, name+"-end")
		if err != nil {
			return err
		}
		began := time.Now()
		watched, err := b.hundred(name)
		if err == nil {
			err = watchers.await()
		}
		told := time.Since(began)
		watchers.close()
		if err != nil {
			return err
		}
		if i > 0 {
			without, with, all = append(without, alone), append(with, watched), append(all, told)
		}
	}
	fmt.Printf("| create 100 VMs at once, median of %d (lowest – highest) | |\n| --- | --- |\n", len(with))
	for _, row := range []struct {
		what  string
		times []time.Duration
	}{{"without subscribers", without}, {fmt.Sprintf("with %d", subscribers), with}, {"until all of them had been told of all, and of one VPC more", all}} {
		slices.Sort(row.times)
		fmt.Printf("| %s | %.0f ms (%.0f – %.0f) |\n", row.what, ms(row.times[len(row.times)/2]), ms(row.times[0]), ms(row.times[len(row.times)-1]))
	}
	fmt.Printf("| ratio of the medians | %.2f |\n| server's memory after this (RSS) | %.1f MB |\n", ms(with[len(with)/2])/ms(without[len(without)/2]), rss(s.PID()))
	return nil
}

// hundred creates 100 VMs in one request, waits until all run, and then makes a VPC that
// says that this was all.
func (b *bench) hundred(name string) (time.Duration, error) {
	began := time.Now()
	var op api.Operation
	body := fmt.Sprintf(`{"name":%q,"count":100,"spec":%s}`, name, b.vm)
	if err := b.server.JSON(b.ctx, b.http, http.MethodPost, "/v1/connections/mock/vms?wait=120s", body, &op); err != nil {
		return 0, err
	}
	took := time.Since(began)
	if op.State != api.OperationSucceeded {
		return 0, fmt.Errorf("it has %s: %w", op.State, op.Error)
	}
	return took, b.server.JSON(b.ctx, b.http, http.MethodPost, "/v1/connections/mock/vpcs?wait=30s", fmt.Sprintf(`{"name":"%s-end","spec":{"cidr":"10.0.0.0/16"}}`, name), nil)
}

// watchers are clients that read a stream of events as cheaply as one can, because they
// share the machine.
type watchers struct {
	streams []net.Conn
	group   sync.WaitGroup
	ended   atomic.Int32 // of those that have seen what ends their stream
}

// watch opens so many streams, which are read until something named until has come.
func watch(ctx context.Context, s *mcic.Server, count int, until string) (*watchers, error) {
	at, err := url.Parse(s.Address)
	if err != nil {
		return nil, err
	}
	w := &watchers{}
	for range count {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", at.Host)
		if err != nil {
			w.close()
			return nil, err
		}
		w.streams = append(w.streams, conn)
		if _, err := fmt.Fprintf(conn, "GET /v1/events HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", at.Host, s.Token); err != nil {
			w.close()
			return nil, err
		}
		r := bufio.NewReader(conn)
		for line := ""; !strings.HasPrefix(line, "data: "); { // of the first ping
			if line, err = r.ReadString('\n'); err != nil {
				w.close()
				return nil, err
			}
		}
		w.group.Go(func() { w.read(conn, until) })
	}
	return w, nil
}

// read looks for a name that is in several events, so that one may lie across two reads.
func (w *watchers) read(r io.Reader, until string) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := r.Read(buffer)
		if err != nil {
			return
		}
		if bytes.Contains(buffer[:n], []byte(until)) {
			w.ended.Add(1)
			return
		}
	}
}

// await waits until all have seen it.
func (w *watchers) await() error {
	late := time.Now().Add(time.Minute)
	for _, s := range w.streams {
		if err := s.SetReadDeadline(late); err != nil {
			return err
		}
	}
	w.group.Wait()
	if got := int(w.ended.Load()); got < len(w.streams) {
		return fmt.Errorf("%d of %d subscribers were told of everything", got, len(w.streams))
	}
	return nil
}

func (w *watchers) close() {
	for _, s := range w.streams {
		_ = s.Close() // it is only read
	}
	w.group.Wait()
}
