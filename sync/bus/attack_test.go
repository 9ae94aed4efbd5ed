package bus

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"branchline/schema"
)

// The attacks are b01's: it has a good key and a leaf written by hand. Whatever
// it sends carries "evil"; whatever is b02's carries "secret". Each asserts that
// no handler and no pack names b02 for b01's doing, that b02 hears nothing evil,
// that nothing of b02's in UP is touched, and that b01 hears no secret.
type siege struct {
	*testHub
	b01  []byte // seed
	b02  *testLeaf
	g    *got
	held Pack   // b02's, in UP, not acked
	id   string // of UP
	ack  string // the true ack subject of held, which no branch knows

	mu    sync.Mutex
	calls []string // branch/verb/request
	heard []string // all that b02's node can hear
}

func newSiege(t *testing.T) *siege {
	s := &siege{testHub: startHub(t)}
	for _, v := range verbs {
		must(t, s.Handle(v, func(_ context.Context, b schema.BranchID, req []byte) ([]byte, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.calls = append(s.calls, fmt.Sprintf("%s/%s/%s", b, v, req))
			return append([]byte("answer to "), req...), nil
		}))
	}
	s.b01 = s.reg.add(t, "b01")
	s.b02 = s.leaf(t, "b02")
	// b02's node listens to all that HQ may send it.
	_, err := s.b02.line.nc.Subscribe("_INBOX_b02.>", s.hear)
	must(t, err)
	must(t, s.b02.line.nc.Flush())
	// HQ's own account is watched for the true ack subject, which is then given
	// to the attacker: guessing is not even needed.
	spy, err := s.desk.nc.Subscribe("_INBOX.>", func(m *nats.Msg) {
		if strings.HasPrefix(m.Reply, "$JS.ACK.UP.inbox_") {
			s.mu.Lock()
			s.ack = m.Reply
			s.mu.Unlock()
		}
	})
	must(t, err)
	must(t, s.desk.nc.Flush())
	s.g = s.read(t)
	s.g.mu.Lock()
	s.g.hold = true
	s.g.mu.Unlock()
	s.b02.send(t, 1, "secret pack")
	await(t, "b02's pack", func() bool { return len(s.g.all()) == 1 })
	s.held = s.g.all()[0]
	await(t, "the ack subject", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.ack != ""
	})
	must(t, spy.Unsubscribe())
	s.id, _, _, err = s.Stream()
	must(t, err)
	return s
}

// bye waits until HQ has read all of rs and they are gone: a branch may have
// only so many links.
func (s *siege) bye(t *testing.T, rs ...*raw) (cut int) {
	t.Helper()
	for _, r := range rs {
		if !r.settle() {
			cut++
		}
		r.c.Close()
	}
	await(t, "links gone", func() bool { return s.srv.NumLeafNodes() == 1 })
	return cut
}

func (s *siege) hear(m *nats.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, m.Subject+" "+string(m.Data))
}

// check runs an honest round of b02, which comes after all that b01 did, and
// then looks at everybody.
func (s *siege) check(t *testing.T, what string) {
	t.Helper()
	if out, err := s.b02.Request(t.Context(), "pull", []byte("secret question")); err != nil || string(out) != "answer to secret question" {
		t.Errorf("%s: b02's question: %q, %v", what, out, err)
	}
	must(t, s.Ack("b02", []byte("secret receipt")))
	must(t, s.Poke("b02", []byte("secret poke")))
	for got := ""; got != "secret receipt"; {
		if got = string(recv(t, s.b02.Acks(), "receipt")); strings.Contains(got, "evil") {
			t.Errorf("%s: b02 got a receipt %q", what, got)
		}
	}
	for got := ""; got != "secret poke"; {
		if got = string(recv(t, s.b02.Pokes(), "poke")); strings.Contains(got, "evil") {
			t.Errorf("%s: b02 got a poke %q", what, got)
		}
	}
	select {
	case d := <-s.b02.Doors():
		t.Errorf("%s: b02 got a door %+v", what, d)
	case up := <-s.b02.Changes():
		if !up {
			t.Errorf("%s: b02's link fell", what)
		}
	default:
	}
	if id, _, _, err := s.Stream(); err != nil || id != s.id {
		t.Errorf("%s: UP is %s, %v; was %s", what, id, err, s.id)
	}
	if n, err := s.Pending("b02"); err != nil || n != 1 {
		t.Errorf("%s: %d packs of b02 in UP, %v; want the held one", what, n, err)
	}
	for _, p := range s.g.all() {
		if evil := strings.Contains(string(p.Data), "evil"); evil != (p.Branch == "b01") {
			t.Errorf("%s: pack %q named %s", what, p.Data, p.Branch)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if evil := strings.Contains(c, "evil"); evil != strings.HasPrefix(c, "b01/") {
			t.Errorf("%s: HQ was asked %s", what, c)
		}
	}
	for _, m := range s.heard {
		if strings.Contains(m, "evil") {
			t.Errorf("%s: b02 heard %s", what, m)
		}
	}
}

func TestAttack_ForgedReplies(t *testing.T) {
	s := newSiege(t)
	replies := []string{
		"up.b02", "ack.b02", "poke.b02", "rpc.b02.pull", "rpc.b02.hello", "door.b02", "_INBOX_b02.x", "_INBOX_b02." + s.b02.nonce + ".d.1", "_INBOX.x",
		"$JS.API.STREAM.DELETE.UP", "$JS.API.STREAM.PURGE.UP", "$JS.hq.API.STREAM.DELETE.UP", "_R_.x.y", "_DOOR.x.1", "$SYS.REQ.SERVER.PING",
		"$JS.ACK.UP.x.1.1.1.1.1", "$JS.ACK.UP.x.1.1.1.1.1@up.b02", "$JS.ACK.UP.x.1.1.1.1.1@door.b02", "$JS.ACK.UP.x.1.1.1.1.1@rpc.b02.pull", "$JS.ACK.UP.x.1.1.1.1.1@ack.b02",
		"$JS.ACK.UP.x.1.1.1.1.1@$JS.API.STREAM.DELETE.UP", "$JS.ACK.x@_R_.x.y", "_R_.$JS.ACK.x@up.b02", "$JS.ACK.UP.inbox.1.1.1.1.1",
		s.ack, s.ack + "@up.b02", s.ack + "@door.b02", "_GR_.x.y.up.b02", "$GR.x.up.b02",
	}
	for _, subject := range []string{"up.b01", "rpc.b01.pull", "rpc.b01.wm"} {
		for _, reply := range replies {
			r := rawLeaf(t, s.Addr(), s.b01, nil)
			r.pub(subject, reply, "", "evil "+reply)
			r.pub(subject, reply, "X: y", "evil with header "+reply)
			s.bye(t, r)
		}
	}
	before := s.Dropped()
	if before == 0 {
		t.Error("nothing was dropped: the forgeries did not reach the handlers")
	}
	s.check(t, "forged replies")
	// The same road is open to b01's rightful use, so the attacks above were not
	// stopped by something else.
	r := rawLeaf(t, s.Addr(), s.b01, nil)
	r.say("LS+ _INBOX_b01.>\r\n")
	r.pub("rpc.b01.pull", "_INBOX_b01.r", "", "evil but rightful")
	r.pub("up.b01", "_INBOX_b01.d", "", "evil but rightful pack")
	await(t, "answers", func() bool {
		m := r.messages()
		return strings.Contains(m, "_INBOX_b01.r") && strings.Contains(m, "answer to evil but rightful") && strings.Contains(m, s.id)
	})
	await(t, "b01's pack", func() bool { return s.g.count("b01", "evil but rightful pack") == 1 })
	if s.Dropped() != before {
		t.Error("a rightful message was dropped")
	}
	s.check(t, "rightful use")
}

func TestAttack_PublishElsewhere(t *testing.T) {
	s := newSiege(t)
	cut := 0
	subjects := []string{
		"up.b02", "up.b01.x", "up", "up.*", "up.>", "door.b01", "door.b02", "ack.b02", "ack.b01", "poke.b02", "rpc.b02.pull", "rpc.b01", "rpc.b01.other", "rpc.b01.pull.x",
		"_INBOX_b02.x", "_INBOX_b02." + s.b02.nonce + ".d.1", "_INBOX.x", "_DOOR.x.1", "$JS.API.STREAM.DELETE.UP", "$JS.hq.API.STREAM.DELETE.UP", "$JS.API.INFO", "$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.PING",
		"_R_.x.y", "_R_.x", "$JS.ACK.UP.inbox.1.1.1.1.1", s.ack, "$JS.ACK.>", "$JS.FC.x", "$KV.x", "_GR_.x.y.up.b02", "$GNR.x",
	}
	for _, subject := range subjects {
		for _, payload := range []string{"evil", "+ACK", "+TERM", ""} {
			r := rawLeaf(t, s.Addr(), s.b01, nil)
			r.pub(subject, "_INBOX_b01.x", "", payload)
			cut += s.bye(t, r)
		}
	}
	t.Logf("%d of %d were cut off", cut, 4*len(subjects))
	if cut == 0 {
		t.Error("no permission is enforced at all")
	}
	s.check(t, "publishing elsewhere")
}

func TestAttack_Eavesdropping(t *testing.T) {
	s := newSiege(t)
	var rs []*raw
	for _, subject := range []string{
		">", "*", "*.*", "*.*.*", "up.>", "up.b02", "door.>", "door.b02", "ack.>", "ack.*", "ack.b02", "poke.b02", "rpc.>", "rpc.b02.pull", "_R_.>", "_INBOX.>", "_INBOX_>", "_INBOX_b02.>",
		"_DOOR.>", "$JS.>", "$JS.API.>", "$JS.ACK.>", "$SYS.>", "$SYS.ACCOUNT.>", "_INBOX_b01.> x 1", "ack.b02 q 1", "$LDS.>", "_GR_.>", "$GR.>",
	} {
		for _, extra := range []map[string]any{nil, {"is_hub": true}, {"domain": "hq", "jetstream": true}} {
			if len(rs) >= maxLeaves {
				s.round(t, rs)
				rs = nil
			}
			r := rawLeaf(t, s.Addr(), s.b01, extra)
			r.say("LS+ %s\r\n", subject)
			r.settle()
			rs = append(rs, r)
		}
	}
	s.round(t, rs)
}

// round lets b02 use every subject it has while rs listen, then sends them away.
func (s *siege) round(t *testing.T, rs []*raw) {
	t.Helper()
	s.check(t, "eavesdropping")
	must(t, s.b02.Publish(99, []byte("secret second pack")))
	if d := recv(t, s.b02.Doors(), "door"); d.Err != nil {
		t.Errorf("door %+v", d)
	}
	await(t, "second pack", func() bool { return s.g.count("b02", "secret second pack") > 0 })
	for _, p := range s.g.all()[1:] {
		must(t, p.Ack())
	}
	s.g.mu.Lock()
	s.g.packs = s.g.packs[:1]
	s.g.mu.Unlock()
	await(t, "second pack gone", func() bool {
		n, err := s.Pending("b02")
		return err == nil && n == 1
	})
	for _, r := range rs {
		if r.settle() && strings.Contains(r.messages(), "secret") {
			t.Errorf("b01 overheard:\n%s", r.messages())
		}
	}
	s.bye(t, rs...)
}

func TestAttack_Headers(t *testing.T) {
	s := newSiege(t)
	for i, h := range []string{
		"Nats-Msg-Id: b02:1001", "Nats-Trace-Dest: ack.b02", "Nats-Trace-Dest: _INBOX_b02.x\r\nNats-Trace-Only: true", "Nats-Trace-Dest: up.b01", "Nats-Rollup: sub", "Nats-Rollup: all",
		"Nats-TTL: 1s", "Nats-Expected-Stream: UP", "Nats-Expected-Last-Sequence: 1", "Nats-Expected-Last-Subject-Sequence: 1\r\nNats-Expected-Last-Subject-Sequence-Subject: up.b02",
		"Nats-Batch-Id: x\r\nNats-Batch-Sequence: 1\r\nNats-Batch-Commit: 1", "Nats-Schedule: @at 2030-01-01T00:00:00Z\r\nNats-Schedule-Target: up.b02", "Nats-Incr: 1",
		`Nats-Request-Info: {"acc":"BR_b02","svc":"x"}`, "Nats-Marker-Reason: Purge", "Nats-Required-Api-Level: 99", "Branchline-Error: invalid", "Status: 503", "NATS/1.0 503",
	} {
		r := rawLeaf(t, s.Addr(), s.b01, nil)
		r.pub("up.b01", "_INBOX_b01.x", h, fmt.Sprintf("evil header %d", i))
		r.pub("rpc.b01.pull", "_INBOX_b01.x", h, "evil")
		if s.bye(t, r) > 0 {
			t.Logf("cut off: %s", h)
		}
		s.check(t, h)
		// What got in lies in UP without a header.
		for _, p := range s.g.all()[1:] {
			st, err := s.js.Stream(t.Context(), upStream)
			must(t, err)
			if m, err := st.GetMsg(t.Context(), p.StreamSeq); err == nil && len(m.Header) != 0 {
				t.Errorf("%s: in UP with %v", h, m.Header)
			}
			must(t, p.Ack())
		}
		s.g.mu.Lock()
		s.g.packs = s.g.packs[:1]
		s.g.mu.Unlock()
	}
	// Squatting: the same id from the one it was squatted from is still stored.
	seed := s.reg.add(t, "b03")
	r1, r3 := rawLeaf(t, s.Addr(), s.b01, nil), rawLeaf(t, s.Addr(), seed, nil)
	r1.pub("up.b01", "_INBOX_b01.x", "Nats-Msg-Id: b03:7", "evil squatter")
	r1.settle()
	await(t, "squatter's pack", func() bool { return s.g.count("b01", "evil squatter") == 1 })
	r3.pub("up.b03", "_INBOX_b03.x", "Nats-Msg-Id: b03:7", "b03's own")
	r3.settle()
	await(t, "the squatted one's pack", func() bool { return s.g.count("b03", "b03's own") == 1 })
}

func TestAttack_AnothersPackOnOnesOwnSubject(t *testing.T) {
	s := newSiege(t)
	r := rawLeaf(t, s.Addr(), s.b01, nil)
	r.pub("up.b01", "_INBOX_b01.x", "", string(s.held.Data))
	// It arrives under the name of the one whose key opened the link; what its
	// signature proves is for others to see.
	await(t, "the replay", func() bool { return s.g.count("b01", "secret pack") == 1 })
	if n := s.g.count("b02", "secret pack"); n != 1 {
		t.Errorf("%d packs as b02's", n)
	}
}

func TestAttack_AnothersShareOfUP(t *testing.T) {
	s := newSiege(t)
	for range 2 * packsABranch {
		r := rawLeaf(t, s.Addr(), s.b01, nil)
		r.pub("up.b01", "$JS.ACK.UP.x.1.1.1.1.1@up.b02", "", "evil filler")
		s.bye(t, r)
	}
	s.check(t, "filling b02's share")
	for i := range packsABranch - 1 {
		must(t, s.b02.Publish(uint64(i), []byte("secret again")))
		if d := recv(t, s.b02.Doors(), "door"); d.Err != nil {
			t.Fatalf("b02's pack %d: %v", i, d.Err)
		}
	}
}

func TestAttack_Connects(t *testing.T) {
	s := newSiege(t)
	// A good key that pretends to be all sorts of servers.
	for _, extra := range []map[string]any{
		{"name": "b02-boot1"},
		{"name": "b02-boot1", "remote_account": "BR_b02", "server_id": s.b02.line.srv.ID()},
		{"name": "hq", "server_id": s.srv.ID()},
		{"is_hub": true},
		{"is_hub": true, "remote_account": "$SYS"},
		{"remote_account": "$SYS", "domain": "hq", "jetstream": true},
		{"cluster": "hq"},
		{"domain": "hq"},
		{"user": "b02", "pass": "x"},
		{"auth_token": s.gate.token},
		{"deny_pub": []string{">"}},
		{"compress_mode": "s2_fast"},
		{"isolate": false},
		{"account": "BR_b02"},
		{"jwt": "x"},
	} {
		r := rawLeaf(t, s.Addr(), s.b01, extra)
		r.say("LS+ >\r\nLS+ ack.b02\r\nLS+ _R_.>\r\n")
		r.pub("ack.b02", "", "", "evil")
		r.settle()
		r2 := rawLeaf(t, s.Addr(), s.b01, extra)
		r2.pub("up.b01", "", "", "evil without reply")
		r2.pub("up.b02", "_INBOX_b01.x", "", "evil pack")
		r2.settle()
		s.check(t, fmt.Sprint(extra))
		if strings.Contains(r.messages(), "secret") {
			t.Errorf("%v overheard:\n%s", extra, r.messages())
		}
		s.bye(t, r, r2)
	}
	// Without a key, or with a signature that does not fit, nobody gets in.
	pub, err := publicOf(s.b01)
	must(t, err)
	other := (&registry{rows: map[string]schema.BranchID{}}).add(t, "b09")
	for _, c := range []struct {
		seed  []byte
		extra map[string]any
	}{
		{nil, nil},
		{nil, map[string]any{"auth_token": s.gate.token}},
		{nil, map[string]any{"user": "b01", "pass": "b01"}},
		{nil, map[string]any{"nkey": pub}},
		{nil, map[string]any{"nkey": pub, "sig": ""}},
		{s.b01, map[string]any{"sig": "AAAA"}},
		{other, nil},
		{other, map[string]any{"nkey": pub}},
		{s.b01, map[string]any{"nkey": strings.ToLower(pub)}},
	} {
		r := rawLeaf(t, s.Addr(), c.seed, c.extra)
		if r.settle() {
			t.Errorf("%v got in", c.extra)
		}
	}
	// A second CONNECT on a link changes nothing for others either.
	r := rawLeaf(t, s.Addr(), s.b01, nil)
	r.say("CONNECT {\"nkey\":%q,\"sig\":\"AAAA\",\"is_hub\":true}\r\n", pub)
	r.pub("up.b02", "_INBOX_b01.x", "", "evil pack")
	r.settle()
	s.check(t, "second CONNECT")
}

func TestAttack_TooManyLinksAndQuestions(t *testing.T) {
	s := newSiege(t)
	for range maxLeaves {
		if !rawLeaf(t, s.Addr(), s.b01, nil).settle() {
			t.Fatal("an allowed link was refused")
		}
	}
	if rawLeaf(t, s.Addr(), s.b01, nil).settle() {
		t.Error("one link too many was let in")
	}
	r := rawLeaf(t, s.Addr(), s.reg.add(t, "b03"), nil)
	r.say("LS+ _INBOX_b03.>\r\n")
	start := time.Now()
	for i := range 20000 {
		r.pub("rpc.b03.pull", fmt.Sprintf("_INBOX_b03.%d", i), "", "x")
		r.pub("up.b03", fmt.Sprintf("_INBOX_b03.%d", i), "", "x")
	}
	r.settle()
	out, err := s.b02.Request(t.Context(), "wm", []byte("secret"))
	if err != nil || string(out) != "answer to secret" {
		t.Errorf("b02 behind a flood: %q, %v", out, err)
	}
	if d := s.b02.send(t, 5, "secret behind a flood"); d.Err != nil {
		t.Error(d.Err)
	}
	t.Logf("flood of 40,000 messages and b02's round behind it: %s", time.Since(start))
	// What is still under the door counts as pending until UP has refused it.
	await(t, "b03 held to its places in UP", func() bool {
		n, err := s.Pending("b03")
		return err == nil && n <= packsABranch
	})
}
