package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"branchline/hq/match"
)

// asked is how many questions a thousand records may raise.
const asked = 25

func matchRunCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "run", Usage: "write record_id,cluster_id for every record of a file",
		Description: "Without --model the weights are learned from the file itself; no labels are needed. A cluster is named\nafter its first record id. The same records, model and answers give the same file in any order.",
		Flags: append(matchFlags(),
			&cli.StringFlag{Name: "out", Required: true, Usage: "CSV of record_id,cluster_id to write, in the order of the ids"},
			&cli.StringFlag{Name: "questions", Usage: "CSV to write: the most useful questions for a person, best first, at most 25 a 1,000 records"},
			&cli.BoolFlag{Name: "stats", Usage: "say what was learned and how long it took"},
			&cli.BoolFlag{Name: "stream", Usage: "one record at a time, clusters exact after each; gives the same file"},
			&cli.Uint64Flag{Name: "shuffle", Usage: "with --stream: in an order drawn from this seed"}),
		Action: e.matchRun,
	}
}

func (e *env) matchRun(c *cli.Context) error {
	if c.IsSet("shuffle") && !c.Bool("stream") {
		return usage("branchline match run: --shuffle needs --stream")
	}
	begun := e.now()
	x, err := loadMatch(c)
	if err != nil {
		return err
	}
	learned := e.now()
	order := straight(len(x.records))
	if c.IsSet("shuffle") {
		rand.New(rand.NewPCG(c.Uint64("shuffle"), 0)).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	var clusters [][]string
	var eng *match.Engine
	if c.Bool("stream") || c.IsSet("questions") || len(x.answers) > 0 {
		if eng, err = x.engine(order); err != nil {
			return err
		}
		clusters = eng.Clusters()
	} else if clusters, err = x.model.Cluster(c.Context, x.records); err != nil {
		return err
	}
	done := e.now()
	if err := writeCSV(c.String("out"), []string{"record_id", "cluster_id"}, clusterRows(clusters)); err != nil {
		return err
	}
	if q := c.String("questions"); q != "" {
		if err := writeCSV(q, []string{"record_a", "record_b", "answer", "now", "score", "gain"}, questionRows(eng.Questions((len(x.records)*asked+999)/1000))); err != nil {
			return err
		}
	}
	s := matchStats{
		Records: len(x.records), Clusters: len(clusters), Model: x.model.Version(), Alarms: []string{},
		Learn: learned.Sub(begun).Milliseconds(), Cluster: done.Sub(learned).Milliseconds(),
		PerSecond: int(float64(len(x.records)) / max(1e-6, done.Sub(learned).Seconds())), Weights: x.model.Summary(),
	}
	for _, g := range clusters {
		if s.Largest = max(s.Largest, len(g)); len(g) > match.Alarm {
			s.Alarms = append(s.Alarms, g[0])
		}
	}
	return e.sayMatched(c, s)
}

// matchStats is what a run has to tell. Times are milliseconds.
type matchStats struct {
	Records   int      `json:"records"`
	Clusters  int      `json:"clusters"`
	Largest   int      `json:"largest"`
	Model     string   `json:"model"`
	Learn     int64    `json:"learn_ms"`
	Cluster   int64    `json:"cluster_ms"`
	PerSecond int      `json:"records_per_second"`
	Alarms    []string `json:"alarms"`
	Weights   []string `json:"-"`
}

func (e *env) sayMatched(c *cli.Context, s matchStats) error {
	if c.Bool("json") {
		b, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("match: %w", err)
		}
		fmt.Fprintf(c.App.Writer, "%s\n", b)
		return nil
	}
	fmt.Fprintf(c.App.Writer, "%d records are %d parties, the largest of %d records (model %s)\n", s.Records, s.Clusters, s.Largest, s.Model)
	for _, a := range s.Alarms {
		fmt.Fprintf(c.App.Writer, "alarm: the cluster %s has more than %d records: see whether they are one; --questions asks where it would part, --answers takes what you say\n", a, match.Alarm)
	}
	if c.Bool("stats") {
		fmt.Fprintf(c.App.Writer, "read and learned in %s, clustered in %s (%d records/s)\n",
			time.Duration(s.Learn)*time.Millisecond, time.Duration(s.Cluster)*time.Millisecond, s.PerSecond)
		for _, l := range s.Weights {
			fmt.Fprintln(c.App.Writer, l)
		}
	}
	return nil
}

func clusterRows(clusters [][]string) [][]string {
	var out [][]string
	for _, g := range clusters {
		for _, id := range g {
			out = append(out, []string{id, g[0]})
		}
	}
	slices.SortFunc(out, slices.Compare)
	return out
}

func questionRows(qs []match.Question) [][]string {
	var out [][]string
	for _, q := range qs {
		now := "different"
		if q.Joined {
			now = "same"
		}
		out = append(out, []string{q.A, q.B, "", now, bits(q.Score), strconv.FormatFloat(float64(q.Gain)/1000, 'f', 3, 64)})
	}
	return out
}

// bits writes centi-bits as bits.
func bits(b match.Bits) string { return strconv.FormatFloat(float64(b)/100, 'f', 2, 64) }

func writeCSV(name string, head []string, rows [][]string) error {
	f, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	w := bufio.NewWriter(f)
	if err := writeRows(w, head, rows); err != nil {
		f.Close() // the error of the write is the one to tell
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func writeRows(w *bufio.Writer, head []string, rows [][]string) error {
	cw := csv.NewWriter(io.Writer(w))
	if err := cw.Write(head); err != nil {
		return err
	}
	if err := cw.WriteAll(rows); err != nil {
		return err
	}
	return w.Flush()
}
