package bus

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// serverLog passes nats-server's own words to slog at debug. It never passes
// bytes of the wire, and keeps the last fatal line, because nats-server reports
// some failures to start in no other way.
type serverLog struct {
	log    *slog.Logger
	onLine func(string) // may be nil; called for warnings and errors

	mu    sync.Mutex
	fatal string
}

func (l *serverLog) put(level, format string, v ...any) string {
	s := fmt.Sprintf(format, v...)
	// The parser quotes what it could not read.
	if i := strings.Index(s, "proto="); i >= 0 {
		s = s[:i]
	}
	l.log.Debug("nats", "level", level, "text", s)
	return s
}

func (l *serverLog) Noticef(format string, v ...any) { l.put("notice", format, v...) }
func (l *serverLog) Debugf(format string, v ...any)  { l.put("debug", format, v...) }

// Tracef is silent: a trace quotes payloads. Tracing is never switched on either.
func (l *serverLog) Tracef(string, ...any) {}

func (l *serverLog) Warnf(format string, v ...any)  { l.line("warn", format, v...) }
func (l *serverLog) Errorf(format string, v ...any) { l.line("error", format, v...) }

func (l *serverLog) line(level, format string, v ...any) {
	s := l.put(level, format, v...)
	if l.onLine != nil {
		l.onLine(s)
	}
}

func (l *serverLog) Fatalf(format string, v ...any) {
	s := l.put("fatal", format, v...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fatal = s
}

func (l *serverLog) lastFatal() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal
}

// hush lets each key through once a minute. It holds at most 1,000 keys; beyond
// them everything is silent until the minute is over.
type hush struct {
	mu   sync.Mutex
	seen map[string]int
	wake *time.Timer
}

// first tells whether key was not seen in this minute.
func (h *hush) first(key string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seen == nil {
		h.seen = map[string]int{}
		h.wake = time.AfterFunc(time.Minute, func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.seen = nil
		})
	}
	if h.seen[key] == 0 && len(h.seen) >= 1000 {
		return false
	}
	h.seen[key]++
	return h.seen[key] == 1
}

func (h *hush) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.wake != nil {
		h.wake.Stop()
	}
}
