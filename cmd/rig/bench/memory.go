package bench

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	nodestore "branchline/node/store"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// memory measures the resident memory of a branch's and headquarters' processes:
// at most while 80,000 records drain, and after that at rest. The ceiling is what
// the same processes take before they hold anything.
func (r *runner) memory(func(string) bool) (err error) {
	hqDir, nodeDir := filepath.Join(r.dir, "hq"), filepath.Join(r.dir, "b1")
	r.step("starting processes")
	head, err := r.start("hq", hqDir, nil, "--link", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, head.stop()) }()
	token, err := r.register(head, "b1")
	if err != nil {
		return err
	}
	branch, err := r.start("node", nodeDir, []string{"BRANCHLINE_ENROL=" + token})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, branch.stop()) }()
	if err := r.sent(branch, 0); err != nil {
		return err
	}
	emptyHQ, err1 := head.megabytes("VmRSS")
	emptyNode, err2 := branch.megabytes("VmRSS")
	if err := errors.Join(err1, err2, branch.stop(), head.stop()); err != nil {
		return err
	}
	n := r.scale(80_000)
	r.step("writing %d records offline", n)
	st, err := nodestore.Open(r.ctx, nodestore.Config{Dir: nodeDir, Now: r.Now, Rand: r.Rand})
	if err != nil {
		return err
	}
	_, ferr := r.fill(st, r.rows())
	if err := errors.Join(ferr, st.Close()); err != nil {
		return err
	}
	r.step("draining between processes")
	head2, err := r.start("hq", hqDir, nil, "--link", head.Link)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, head2.stop()) }()
	branch2, err := r.start("node", nodeDir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, branch2.stop()) }()
	if err := r.sent(branch2, int64(n)); err != nil {
		return err
	}
	peakNode, err1 := branch2.megabytes("VmHWM")
	peakHQ, err2 := head2.megabytes("VmHWM")
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	rest := 20 * time.Second
	r.step("%s at rest", rest)
	if err := r.pause(rest); err != nil {
		return err
	}
	idleNode, err1 := branch2.megabytes("VmRSS")
	idleHQ, err2 := head2.megabytes("VmRSS")
	fileNode, err3 := branch2.megabytes("RssFile")
	fileHQ, err4 := head2.megabytes("RssFile")
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	what := fmt.Sprintf("%d records; ceiling: the process before it holds any", n)
	return errors.Join(
		r.emit("memory/idle/node", idleNode, "MB", ceiling(emptyNode), goal(50), note("after %s at rest, %s; %.0f MB of it are the program's file", rest, what, fileNode)),
		r.emit("memory/idle/hq", idleHQ, "MB", ceiling(emptyHQ), goal(70), note("the same; %.0f MB of it are the program's file", fileHQ)),
		r.emit("memory/peak/node", peakNode, "MB", ceiling(emptyNode), goal(120), note("while draining, the start included")),
		r.emit("memory/peak/hq", peakHQ, "MB", ceiling(emptyHQ), goal(250), note("the same")),
	)
}

// sent waits until a branch's process has made last changes and headquarters has them all.
func (r *runner) sent(p *process, last int64) error {
	c, err := r.client(p)
	if err != nil {
		return err
	}
	defer c.Close()
	for began := r.Now(); ; {
		s, err := c.Sites.GetLine(r.ctx, &branchlinev1.Empty{})
		if err != nil {
			return err
		}
		if s.GetLinked() && s.GetLastSeq() >= last && s.GetWatermark() >= s.GetLastSeq() {
			return nil
		}
		if r.Now().Sub(began) > time.Minute {
			return fmt.Errorf("the branch has not sent all within a minute: %s, %d of %d", s.GetVerdict(), s.GetWatermark(), s.GetLastSeq())
		}
		if err := r.pause(50 * time.Millisecond); err != nil {
			return err
		}
	}
}

func (r *runner) pause(d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}
