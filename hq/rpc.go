package hq

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/bus/ca"
	"branchline/sync/link"
)

// handle puts HQ's rooms behind the verbs a branch may ask.
func (q *HQ) handle() error {
	for verb, h := range map[string]func(context.Context, schema.BranchID, []byte) ([]byte, error){
		link.VerbHello:  call(q.hello),
		link.VerbTake:   call(q.inbox.TakeBack),
		link.VerbPull:   q.pull,
		link.VerbBeat:   call(q.beat),
		link.VerbLook:   call(q.feed.Look),
		link.VerbVerify: call(q.verify),
		link.VerbRenew:  call(q.renew),
		link.VerbKnown:  call(q.known.Piece),
		link.VerbSpend:  call(q.inbox.Spend),

		link.VerbBlobPut: call(q.blobs.Put),
		link.VerbBlobGet: call(q.blobs.Get),
		link.VerbBlobAsk: call(q.blobs.Ask),
	} {
		if err := q.hub.Handle(verb, h); err != nil {
			return err
		}
	}
	return nil
}

// message is a pointer to a request message.
type message[T any] interface {
	*T
	proto.Message
}

// call reads the request and writes the answer of f.
func call[T any, P message[T], R proto.Message](f func(context.Context, schema.BranchID, P) (R, error)) func(context.Context, schema.BranchID, []byte) ([]byte, error) {
	return func(ctx context.Context, b schema.BranchID, raw []byte) ([]byte, error) {
		req := P(new(T))
		if err := proto.Unmarshal(raw, req); err != nil {
			return nil, schema.Invalid("request", "cannot be read: %v", err)
		}
		r, err := f(ctx, b, req)
		if err != nil {
			return nil, err
		}
		return proto.Marshal(r)
	}
}

// codecs are one page compressor for each pull under way.
type codecs struct{ pool sync.Pool }

func (c *codecs) take() (*schema.PackCodec, error) {
	if z, ok := c.pool.Get().(*schema.PackCodec); ok {
		return z, nil
	}
	return schema.NewPackCodec()
}

func (q *HQ) pull(ctx context.Context, b schema.BranchID, raw []byte) ([]byte, error) {
	req := new(wirev1.PullRequest)
	if err := proto.Unmarshal(raw, req); err != nil {
		return nil, schema.Invalid("request", "cannot be read: %v", err)
	}
	page, err := q.feed.Pull(ctx, b, req)
	if err != nil {
		return nil, err
	}
	z, err := q.codecs.take()
	if err != nil {
		return nil, err
	}
	defer q.codecs.pool.Put(z)
	return link.EncodePage(z, page, int(req.GetForm()))
}

// verify answers with digests at HQ's present rev. A branch that is not there
// yet is poked: it asks again when it is.
func (q *HQ) verify(ctx context.Context, b schema.BranchID, req *wirev1.VerifyRequest) (*wirev1.VerifyReply, error) {
	if err := q.golden.Catch(ctx); err != nil {
		return nil, err
	}
	r, err := q.feed.Verify(ctx, b, req)
	if err == nil && req.GetRev() < r.GetRev() {
		q.pokeOne(b, &wirev1.Poke{Epoch: r.GetEpoch(), Rev: r.GetRev()})
	}
	return r, err
}

func (q *HQ) beat(ctx context.Context, b schema.BranchID, req *wirev1.Beat) (*wirev1.BeatReply, error) {
	q.probe.Heard(b, req.GetBoot())
	r, err := q.feed.Beat(ctx, b, req)
	if err == nil {
		r.Known, r.Blobs = q.known.Version(), true
	}
	return r, err
}

// drainLimit is how long a hello may wait for the branch's packs in UP.
const drainLimit = 30 * time.Second

func (q *HQ) hello(ctx context.Context, b schema.BranchID, req *wirev1.HelloRequest) (*wirev1.HelloReply, error) {
	key, err := q.keyOf(b, req.GetBoot())
	if err != nil {
		return nil, err
	}
	// Asked first: it may take two seconds, in which another machine's packs come in.
	other, alive := q.probe.Other(ctx, b, req.GetBoot())
	if err := q.drain(ctx, b); err != nil {
		return nil, err
	}
	return q.inbox.HelloBy(ctx, b, key, req, func(context.Context, []byte) ([]byte, bool) { return other, alive })
}

// keyOf is the key of the link a hello came over. Which link that is only the
// boot says, which the asker names: when several could be it, the one with the
// worst standing is.
func (q *HQ) keyOf(b schema.BranchID, boot []byte) (string, error) {
	links, _ := q.probe.links(b, boot)
	if len(links) == 0 {
		return "", fmt.Errorf("no link of %s is of this run of its program: %w", b, schema.ErrUnavailable)
	}
	for _, l := range links {
		if !q.store.IsCurrent(l.Key) {
			return l.Key, nil
		}
	}
	return links[0].Key, nil
}

// drain waits until every pack of the branch that stands in UP is worked off: a
// verdict before that would be about less than HQ has been given. The branch
// sends nothing while it waits for the answer.
func (q *HQ) drain(ctx context.Context, b schema.BranchID) error {
	if q.store.Superseded() {
		return nil // nothing is worked off any more, and the answer says so
	}
	ctx, cancel := context.WithTimeout(ctx, drainLimit)
	defer cancel()
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		n, err := q.hub.Pending(b)
		if err == nil && n == 0 {
			return nil
		}
		if err != nil && !errors.Is(err, schema.ErrUnavailable) {
			return fmt.Errorf("packs of %s in UP: %w", b, err)
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("packs of %s stand in UP and are not worked off: %w", b, schema.ErrUnavailable)
		case <-t.C:
		}
	}
}

// renew gives the branch's own listener a new certificate of HQ's CA.
func (q *HQ) renew(_ context.Context, b schema.BranchID, req *wirev1.EnrolRequest) (*wirev1.EnrolReply, error) {
	if _, err := q.branch(b); err != nil {
		return nil, err
	}
	cert, err := q.hostCert(req.GetCsr(), "")
	if err != nil {
		return nil, err
	}
	return &wirev1.EnrolReply{Branch: string(b), Ca: q.ca.PEM(), HostCertificate: cert}, nil
}

// hostCert answers a certificate request for the names in it and the address it
// came from, if there is one. Headquarters' own names are not a branch's to have.
func (q *HQ) hostCert(csr []byte, from string) ([]byte, error) {
	hosts, err := ca.Requested(csr)
	if err != nil {
		return nil, err
	}
	if from != "" && !slices.Contains(hosts, from) {
		hosts = append(hosts, from)
	}
	own := q.cfg.hosts()
	for _, h := range hosts {
		if net.ParseIP(h) == nil && slices.ContainsFunc(own, func(o string) bool { return strings.EqualFold(strings.TrimSuffix(h, "."), o) }) {
			return nil, schema.Invalid("csr", "%q is headquarters' own name", h)
		}
	}
	return q.ca.Issue(q.cfg.Rand, csr, hosts, q.cfg.Now(), certDays)
}

// enrol trades a token for a registration.
func (q *HQ) enrol(ctx context.Context, req *wirev1.EnrolRequest, from string) (*wirev1.EnrolReply, error) {
	var cert []byte
	if len(req.GetCsr()) > 0 {
		var err error
		if ip := net.ParseIP(from); ip == nil || ip.IsLoopback() {
			from = ""
		}
		if cert, err = q.hostCert(req.GetCsr(), from); err != nil {
			return nil, err
		}
	}
	r, err := q.inbox.Enrol(ctx, req)
	if err != nil {
		return nil, err
	}
	r.Link, r.Ca, r.HostCertificate = q.LinkAddr(), q.ca.PEM(), cert
	return r, nil
}
