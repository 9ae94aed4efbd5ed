package bus

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"branchline/schema"
	"branchline/sync/bus/nkey"
)

// maxLeaves bounds the links of one branch: a clone shows as two, a reconnect
// may leave an old one standing for some seconds; more is a fault or an attack.
const maxLeaves = 8

// gate is nats-server's authenticator: HQ's own clients by a token of this
// start, leaves by the registry. It makes a branch's account at its first
// connect, and knows every link it let in.
type gate struct {
	hub   *Hub
	token string
	srv   *server.Server

	mu       sync.Mutex
	accounts map[schema.BranchID]*server.Account
	links    map[uint64]*link // by connection id
}

// link is one connection let in.
type link struct {
	branch schema.BranchID
	pub    string
	since  time.Time
	remote string
	missed int // sweeps that did not find it linked, in a row
}

func newGate(h *Hub) *gate { return &gate{hub: h} }

// exports opens HQ's side of the road. They are public since only HQ's code can
// make the import that uses one. Singleton: one answer a question, after which
// the server forgets the way back.
func (g *gate) exports(srv *server.Server) error {
	g.srv = srv
	g.accounts, g.links = map[schema.BranchID]*server.Account{}, map[uint64]*link{}
	hq := srv.GlobalAccount()
	var errs []error
	for _, s := range []string{"door.*", "rpc.*.*"} {
		errs = append(errs, hq.AddServiceExportWithResponse(s, server.Singleton, nil))
		// What is never answered is forgotten after this; the default is 2 minutes.
		errs = append(errs, hq.SetServiceExportResponseThreshold(s, answerLimit))
	}
	for _, s := range []string{"ack.*", "poke.*"} {
		errs = append(errs, hq.AddStreamExport(s, nil))
	}
	return errors.Join(errs...)
}

// Check implements server.Authentication.
func (g *gate) Check(c server.ClientAuthentication) bool {
	o := c.GetOpts()
	switch c.Kind() {
	case server.CLIENT:
		return subtle.ConstantTimeCompare([]byte(o.Token), []byte(g.token)) == 1
	case server.LEAF:
	default:
		return false
	}
	if !signed(o, c.GetNonce()) {
		g.refuse(c, "", "no good signature")
		return false
	}
	b, err := g.hub.cfg.Registry.Leaf(o.Nkey)
	if err == nil {
		_, err = schema.ParseBranchID(string(b))
	}
	if err == nil && b == schema.HQ {
		err = schema.ErrForbidden
	}
	if err != nil {
		g.refuse(c, o.Nkey, err.Error())
		return false
	}
	acc, err := g.admit(c, b)
	if err != nil {
		g.refuse(c, o.Nkey, err.Error())
		return false
	}
	c.RegisterUser(&server.User{Username: string(b), Account: acc, Permissions: permissions(b, g.hub.cfg.Verbs)})
	return true
}

func signed(o *server.ClientOpts, nonce []byte) bool {
	if o.Nkey == "" || len(nonce) == 0 {
		return false
	}
	sig, err := base64.RawURLEncoding.DecodeString(o.Sig)
	if err != nil {
		if sig, err = base64.StdEncoding.DecodeString(o.Sig); err != nil {
			return false
		}
	}
	return nkey.Verify(o.Nkey, nonce, sig) == nil
}

func (g *gate) refuse(c server.ClientAuthentication, pub, why string) {
	remote := ""
	if a := c.RemoteAddress(); a != nil {
		remote = a.String()
	}
	key := pub
	if host, _, err := net.SplitHostPort(remote); pub == "" && err == nil {
		key = host
	}
	if g.hub.quiet.first("refuse " + key) {
		g.hub.log.Warn("leaf refused", "key", pub, "remote", remote, "why", why)
	}
}

// admit notes the link and makes the branch's account.
func (g *gate) admit(c server.ClientAuthentication, b schema.BranchID) (*server.Account, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for id, l := range g.links {
		// One that is gone does not count, though sweep has not yet forgotten it:
		// a shaky line reconnects often.
		if l.branch == b && id != c.GetID() && g.srv.GetLeafNode(id) != nil {
			n++
		}
	}
	if n >= maxLeaves {
		return nil, errors.New("too many links of this branch")
	}
	acc, err := g.account(b)
	if err != nil {
		return nil, err
	}
	l := &link{branch: b, pub: c.GetOpts().Nkey}
	if g.hub.cfg.Now != nil {
		l.since = g.hub.cfg.Now()
	}
	if a := c.RemoteAddress(); a != nil {
		l.remote = a.String()
	}
	g.links[c.GetID()] = l
	return acc, nil
}

func (g *gate) account(b schema.BranchID) (*server.Account, error) {
	if acc := g.accounts[b]; acc != nil {
		return acc, nil
	}
	hq := g.srv.GlobalAccount()
	acc, _ := g.srv.LookupOrRegisterAccount(account(b))
	errs := []error{
		acc.AddServiceImport(hq, upSubject(b), doorSubject(b)),
		acc.AddStreamImport(hq, ackSubject(b), ""),
		acc.AddStreamImport(hq, pokeSubject(b), ""),
	}
	for _, v := range g.hub.cfg.Verbs {
		errs = append(errs, acc.AddServiceImport(hq, rpcSubject(b, v), rpcSubject(b, v)))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	g.accounts[b] = acc
	return acc, nil
}

// sweep forgets links that are gone, and puts out those whose key the registry
// has withdrawn: a revocation holds even when nobody calls Kick, or when a leaf
// was being let in at that very moment.
func (g *gate) sweep() {
	linked := g.linked()
	g.mu.Lock()
	check := map[uint64]*link{}
	for id, l := range g.links {
		if _, ok := linked[id]; ok {
			l.missed = 0
			check[id] = l
		} else if l.missed++; l.missed > 2 {
			// Not at once: a link is admitted a moment before it is linked.
			delete(g.links, id)
		}
	}
	g.mu.Unlock()
	for id, l := range check {
		b, err := g.hub.cfg.Registry.Leaf(l.pub)
		if errors.Is(err, schema.ErrNotFound) || errors.Is(err, schema.ErrForbidden) || (err == nil && b != l.branch) {
			g.disconnect(id, l)
		}
	}
}

func (g *gate) linked() map[uint64]*server.LeafInfo {
	m := map[uint64]*server.LeafInfo{}
	z, err := g.srv.Leafz(nil)
	if err != nil {
		return m // only when the server shuts down
	}
	for _, l := range z.Leafs {
		m[l.ID] = l
	}
	return m
}

func (g *gate) disconnect(id uint64, l *link) bool {
	if err := g.srv.DisconnectClientByID(id); err != nil {
		return false // gone already
	}
	g.hub.log.Info("leaf put out", "branch", l.branch, "remote", l.remote)
	return true
}

// LeafInfo is one live link.
type LeafInfo struct {
	Branch schema.BranchID
	Conn   uint64 // connection id, unique in this start of the hub
	Key    string // public key it came with
	Name   string // server name the node gave itself: branch-boot
	Remote string // host:port
	Since  time.Time
}

// Leaves lists the live links by branch and age; two of one branch are both listed.
func (h *Hub) Leaves() []LeafInfo {
	linked := h.gate.linked()
	h.gate.mu.Lock()
	defer h.gate.mu.Unlock()
	var out []LeafInfo
	for id, z := range linked {
		if l := h.gate.links[id]; l != nil {
			out = append(out, LeafInfo{l.branch, id, l.pub, z.Name, l.remote, l.since})
		}
	}
	slices.SortFunc(out, func(a, b LeafInfo) int {
		if c := strings.Compare(string(a.Branch), string(b.Branch)); c != 0 {
			return c
		}
		return int(a.Conn) - int(b.Conn)
	})
	return out
}

// Kick cuts every live link of b and tells how many. It is the registry that
// keeps them out afterwards.
func (h *Hub) Kick(b schema.BranchID) int {
	linked := h.gate.linked()
	h.gate.mu.Lock()
	out := map[uint64]*link{}
	for id, l := range h.gate.links {
		if _, ok := linked[id]; ok && l.branch == b {
			out[id] = l
		}
	}
	h.gate.mu.Unlock()
	n := 0
	for id, l := range out {
		if h.gate.disconnect(id, l) {
			n++
		}
	}
	return n
}
