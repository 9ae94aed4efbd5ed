package looktest

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Listen opens a stream of live parts. Its lines come until the stream or the test ends.
func Listen(t testing.TB, c *http.Client, address string, cookies ...*http.Cookie) (status int, lines <-chan string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	for _, k := range cookies {
		req.AddCookie(k)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan string, 1000)
	go func() {
		defer close(out)
		defer res.Body.Close()
		sc := bufio.NewScanner(res.Body)
		sc.Buffer(nil, 1<<20)
		for sc.Scan() {
			out <- sc.Text()
		}
	}()
	return res.StatusCode, out
}

// Await reads a stream until a line holds text; false when the stream ended before. The test fails after twenty seconds.
func Await(t testing.TB, lines <-chan string, text string) bool {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		select {
		case l, open := <-lines:
			if !open {
				return false
			}
			if strings.Contains(l, text) {
				return true
			}
		case <-limit:
			t.Fatalf("no %q", text)
		}
	}
}
