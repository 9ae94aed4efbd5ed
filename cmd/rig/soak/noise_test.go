//go:build linux

package soak

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Anybody may send anything to any port while people work: nobody notices, no
// memory goes, and what is too large is refused.
func TestNoise_OnEveryPort(t *testing.T) {
	g := newGroup(t, 1)
	l := g.run("noise", g.all...)
	l.pass(20)
	noise(g, 40)
	l.pass(20)
	l.stop()
	for _, s := range []*site{g.hq, g.all[0].site} {
		if kb := resident(t, s); kb > 300<<10 {
			t.Errorf("%s has %d kB in memory", s.name, kb)
		}
	}
	g.audit()
}

func noise(g *group, rounds int) {
	t := g.t
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	host := func(at string) string {
		u, err := url.Parse(at)
		g.must(err)
		return u.Host
	}
	ports := []string{g.hq.ready.Link, host(g.hq.ready.URL), host(g.all[0].ready.URL)}
	starts := []string{"", "CONNECT ", "GET /", "POST /branchline.v1.RecordService/CreateRecord HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n", "LMSG up.b1 65536\r\n", "\x16\x03\x01\x02\x00\x01"}
	var wg sync.WaitGroup
	for i := range rounds {
		junk := make([]byte, 1<<(4+r.IntN(14)))
		for k := range junk {
			junk[k] = byte(r.Uint32())
		}
		junk = append([]byte(starts[i%len(starts)]), junk...)
		wg.Go(func() {
			c, err := net.Dial("tcp", ports[i%len(ports)])
			if err != nil {
				t.Errorf("%s is gone: %v", ports[i%len(ports)], err)
				return
			}
			defer c.Close()
			if i%2 == 0 {
				c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
			}
			err = c.SetDeadline(time.Now().Add(500 * time.Millisecond))
			if err == nil {
				_, err = c.Write(junk)
			}
			if err == nil {
				_, err = io.Copy(io.Discard, c)
			}
			_ = err // it hangs up, or the time is over
		})
	}
	wg.Wait()
	for _, row := range []struct {
		at, body string
		n        int
	}{
		{g.hq.ready.URL + "/enrol", "application/x-protobuf", 64 << 10},
		{g.all[0].ready.URL + "/branchline.v1.RecordService/CreateRecord", "application/json", 32 << 20},
		{g.hq.ready.URL + "/branchline.v1.AccountService/SignIn", "application/json", 32 << 20},
	} {
		res, err := http.Post(row.at, row.body, bytes.NewReader(bytes.Repeat([]byte("{"), row.n)))
		if err != nil {
			continue // it hung up in the middle
		}
		if res.StatusCode < 400 || res.StatusCode >= 500 {
			t.Errorf("%s with %d bytes: %s", row.at, row.n, res.Status)
		}
		g.must(res.Body.Close())
	}
}

// resident is a process's memory in kB.
func resident(t *testing.T, s *site) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.Fields(v)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kb
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
