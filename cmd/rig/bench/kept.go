package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema/serve"
)

// keptAlive is one connection to a site's API, used by one goroutine. A request is
// made before the clock starts and its answer read after it stops: net/http's own
// client, which gives the one to a goroutine and takes the other from a second, costs
// about as much as the site, and is not the site.
type keptAlive struct {
	r    *runner
	run  *serve.Run
	conn net.Conn
	in   []byte
}

// keep opens a connection to a running site, whose owner asks.
func (r *runner) keep(run *serve.Run) (*keptAlive, error) {
	at, err := http.NewRequestWithContext(r.ctx, http.MethodGet, run.URL, nil)
	if err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(r.ctx, "tcp", at.URL.Host)
	if err != nil {
		return nil, err
	}
	if end, ok := r.ctx.Deadline(); ok {
		if err := conn.SetDeadline(end); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return &keptAlive{r: r, run: run, conn: conn, in: make([]byte, 64<<10)}, nil
}

// call asks for one thing and gives how long it took, from the first byte sent to the last one come.
func (k *keptAlive) call(procedure string, ask, answer proto.Message) (time.Duration, error) {
	body, err := proto.Marshal(ask)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(k.r.ctx, http.MethodPost, k.run.URL+procedure, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+k.run.Token)
	req.Header.Set("Content-Type", "application/proto")
	req.Header.Set("Connect-Protocol-Version", "1")
	var out bytes.Buffer
	if err := req.Write(&out); err != nil {
		return 0, err
	}
	began := k.r.Now()
	if _, err := k.conn.Write(out.Bytes()); err != nil {
		return 0, err
	}
	for n := 0; n < len(k.in); {
		m, err := k.conn.Read(k.in[n:])
		took := k.r.Now().Sub(began)
		if n += m; err != nil {
			return 0, err
		}
		res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(k.in[:n])), req)
		if err != nil {
			return 0, err
		}
		got, err := io.ReadAll(res.Body)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			continue
		}
		if err != nil {
			return 0, err
		}
		if res.StatusCode != http.StatusOK {
			return 0, fmt.Errorf("%s: %s: %s", procedure, res.Status, got)
		}
		return took, proto.Unmarshal(got, answer)
	}
	return 0, fmt.Errorf("%s: an answer of more than %d bytes", procedure, len(k.in))
}

func (k *keptAlive) close() error { return k.conn.Close() }
