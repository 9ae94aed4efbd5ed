package bus

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"branchline/sync/bus/nkey"
)

// raw is a leaf written by hand, that says whatever it likes.
type raw struct {
	t    testing.TB
	c    net.Conn
	gone chan struct{} // closed when HQ hung up
	pong chan struct{}

	mu   sync.Mutex
	got  []string // messages: "subject|reply|everything after"
	errs []string // -ERR lines
}

// rawLeaf connects with a key; extra overrides fields of CONNECT.
func rawLeaf(t testing.TB, addr string, seed []byte, extra map[string]any) *raw {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	must(t, err)
	r := &raw{t: t, c: c, gone: make(chan struct{}), pong: make(chan struct{}, 100)}
	t.Cleanup(func() { c.Close(); <-r.gone })
	br := bufio.NewReader(c)
	line, err := br.ReadString('\n')
	must(t, err)
	var info struct{ Nonce string }
	must(t, json.Unmarshal([]byte(strings.TrimPrefix(line, "INFO ")), &info))
	conn := map[string]any{"version": "2.15.2", "server_id": "RAW", "name": "raw-" + strings.ReplaceAll(c.LocalAddr().String(), ":", "-"), "headers": true, "protocol": 1, "remote_account": "$G"}
	if seed != nil {
		sig, err := nkey.Sign(seed, []byte(info.Nonce))
		must(t, err)
		pub, err := nkey.Public(seed)
		must(t, err)
		conn["nkey"], conn["sig"] = pub, base64.RawURLEncoding.EncodeToString(sig)
	}
	for k, v := range extra {
		conn[k] = v
	}
	go r.read(br)
	b, err := json.Marshal(conn)
	must(t, err)
	r.say("CONNECT %s\r\n", b)
	return r
}

func (r *raw) read(br *bufio.Reader) {
	defer close(r.gone)
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return
		}
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		switch f[0] {
		case "PING":
			io.WriteString(r.c, "PONG\r\n") // fails when HQ hangs up
		case "PONG":
			r.pong <- struct{}{}
		case "-ERR":
			r.mu.Lock()
			r.errs = append(r.errs, strings.TrimSpace(line))
			r.mu.Unlock()
		case "LMSG", "HMSG":
			n, err := strconv.Atoi(f[len(f)-1])
			if err != nil {
				return
			}
			b := make([]byte, n+2)
			if _, err := io.ReadFull(br, b); err != nil {
				return
			}
			r.mu.Lock()
			r.got = append(r.got, strings.Join(f[1:], "|")+"|"+string(b))
			r.mu.Unlock()
		}
	}
}

func (r *raw) say(format string, v ...any) {
	fmt.Fprintf(r.c, format, v...) // fails when HQ hung up: settle tells
}

// pub sends a message; headers, when not "", without the version line.
func (r *raw) pub(subject, reply, headers, data string) {
	args := subject
	if reply != "" {
		args += " " + reply
	}
	if headers == "" {
		r.say("LMSG %s %d\r\n%s\r\n", args, len(data), data)
		return
	}
	h := "NATS/1.0\r\n" + headers + "\r\n\r\n"
	r.say("HMSG %s %d %d\r\n%s%s\r\n", args, len(h), len(h)+len(data), h, data)
}

// settle waits until HQ has read all that was said, or has hung up.
func (r *raw) settle() (open bool) {
	r.t.Helper()
	r.say("PING\r\n")
	select {
	case <-r.pong:
		return true
	case <-r.gone:
		return false
	case <-time.After(10 * time.Second):
		r.t.Fatal("HQ neither answered a ping nor hung up")
		return false
	}
}

func (r *raw) messages() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.got, "\n")
}
