package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// called looks up what registrations are called, each once.
type called struct {
	c     *cli.Context
	s     *site
	known map[string]string
}

func (x *called) name(resource string) (string, error) {
	if text, ok := x.known[resource]; ok {
		return text, nil
	}
	r, err := x.s.records.GetRecord(x.c.Context, &branchlinev1.GetRecordRequest{Name: resource})
	text := ""
	switch {
	case errors.Is(err, schema.ErrNotFound): // erased since
	case err != nil:
		return "", err
	default:
		text = strings.TrimSpace(r.GetCustomer().GetName() + " (" + r.GetHome() + ")")
	}
	x.known[resource] = text
	return text, nil
}

func matchQuestionsCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "questions", Usage: "what a person is asked at headquarters: only what would change who is one customer, the most useful first",
		Flags: append(siteFlags(), jsonFlag(),
			&cli.IntFlag{Name: "limit", Value: 20, Usage: "at most this many, 1 to 200"},
			&cli.StringFlag{Name: "about", Usage: "only about the customer that this registration is of"}),
		Action: func(c *cli.Context) error {
			s, err := e.site(c)
			if err != nil {
				return err
			}
			req := &branchlinev1.ListQuestionsRequest{PageSize: int32(max(1, c.Int("limit")))}
			if about := c.String("about"); about != "" {
				req.Customer = customerName(about)
			}
			r, err := s.client.Match.ListQuestions(c.Context, req)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, r)
			}
			return e.sayQuestions(c, s, r)
		},
	}
}

func (e *env) sayQuestions(c *cli.Context, s *site, r *branchlinev1.ListQuestionsResponse) error {
	out := c.App.Writer
	if r.GetOpen() == 0 {
		fmt.Fprintln(out, "nothing is open: no answer of a person would change who is one customer")
		return nil
	}
	x := called{c, s, map[string]string{}}
	t := newTable(out, "a", "called", "b", "called", "now", "registrations", "score", "puts right", "")
	for _, q := range r.GetQuestions() {
		a, err := x.name(q.GetA())
		if err != nil {
			return err
		}
		b, err := x.name(q.GetB())
		if err != nil {
			return err
		}
		now, size := "two", fmt.Sprintf("%d + %d", len(q.GetGroupA()), len(q.GetGroupB()))
		if q.GetJoined() {
			now, size = "one", fmt.Sprint(len(q.GetGroupA()))
		}
		var note []string
		if q.GetAlarm() {
			note = append(note, "swallows too many")
		}
		if q.GetContradiction() {
			note = append(note, "decisions contradict")
		}
		t.AppendRow([]any{q.GetA(), a, q.GetB(), b, now, size, bitsOf(q.GetScore()), fmt.Sprintf("%.2f pairs", float64(q.GetGain())/1000), strings.Join(note, ", ")})
	}
	t.Render()
	fmt.Fprintf(out, "%d open; answer by: branchline match decide same|different A B\n", r.GetOpen())
	return nil
}

// bitsOf writes hundredths of a bit.
func bitsOf(centi int32) string { return fmt.Sprintf("%+.1f", float64(centi)/100) }

func matchDecisionsCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "decisions", Usage: "what people decided, by whom, when and why, the newest first",
		Flags: append(siteFlags(), jsonFlag(),
			&cli.IntFlag{Name: "limit", Value: 50, Usage: "at most this many, 1 to 200"},
			&cli.StringFlag{Name: "page", Usage: "go on where the list before ended"},
			&cli.StringFlag{Name: "about", Usage: "only about the customer that this registration is of"},
			&cli.BoolFlag{Name: "contradictory", Usage: "only those that contradict others"},
			&cli.BoolFlag{Name: "withdrawn", Usage: "also those that are withdrawn"}),
		Action: func(c *cli.Context) error {
			s, err := e.site(c)
			if err != nil {
				return err
			}
			req := &branchlinev1.ListDecisionsRequest{
				PageSize: int32(max(1, c.Int("limit"))), PageToken: c.String("page"), Contradictory: c.Bool("contradictory"), Withdrawn: c.Bool("withdrawn"),
			}
			if about := c.String("about"); about != "" {
				req.Customer = customerName(about)
			}
			r, err := s.client.Match.ListDecisions(c.Context, req)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, r)
			}
			e.sayDecisions(c, r)
			return nil
		},
	}
}

func (e *env) sayDecisions(c *cli.Context, r *branchlinev1.ListDecisionsResponse) {
	if len(r.GetDecisions()) == 0 {
		fmt.Fprintln(c.App.Writer, "no such decisions")
		return
	}
	t := newTable(c.App.Writer, "decision", "verdict", "a", "b", "when", "by", "why", "")
	for _, x := range r.GetDecisions() {
		d := x.GetMatchDecision()
		when, who := x.GetCreateTime(), ""
		for _, src := range x.GetSources() {
			if src.GetField() == "verdict" {
				when, who = src.GetAt(), src.GetActor()
			}
		}
		var note []string
		if d.GetRetiredAt() > 0 {
			note = append(note, strings.TrimSpace("withdrawn "+timeText(d.GetRetiredAt())+" "+d.GetRetiredReason()))
		}
		if slices.Contains(r.GetContradictory(), x.GetName()) {
			note = append(note, "contradicts others")
		}
		t.AppendRow([]any{x.GetName(), strings.ToLower(d.GetVerdict().String()), strings.Join(d.GetA(), " "), strings.Join(d.GetB(), " "), timeText(when), who, d.GetReason(), strings.Join(note, ", ")})
	}
	t.Render()
	if r.GetNextPageToken() != "" {
		fmt.Fprintf(c.App.Writer, "there are more: --page %s\n", r.GetNextPageToken())
	}
}

func matchEventsCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "events", Usage: "which customers became one and which several, the newest first",
		Flags: append(siteFlags(), jsonFlag(),
			&cli.IntFlag{Name: "limit", Value: 50, Usage: "at most this many, 1 to 200"},
			&cli.StringFlag{Name: "page", Usage: "go on where the list before ended"},
			&cli.StringFlag{Name: "about", Usage: "only about the customer that this registration is of"}),
		Action: func(c *cli.Context) error {
			s, err := e.site(c)
			if err != nil {
				return err
			}
			req := &branchlinev1.ListMatchEventsRequest{PageSize: int32(max(1, c.Int("limit"))), PageToken: c.String("page")}
			if about := c.String("about"); about != "" {
				req.Customer = customerName(about)
			}
			r, err := s.client.Match.ListEvents(c.Context, req)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, r)
			}
			if len(r.GetEvents()) == 0 {
				fmt.Fprintln(c.App.Writer, "nothing was joined or parted yet")
				return nil
			}
			side := func(groups []*branchlinev1.MatchGroup) string {
				var out []string
				for _, g := range groups {
					out = append(out, fmt.Sprintf("%s (%d)", g.GetId(), len(g.GetMembers())))
				}
				return strings.Join(out, " ")
			}
			t := newTable(c.App.Writer, "when", "what", "before", "after")
			for _, x := range r.GetEvents() {
				what := "regrouped"
				switch {
				case len(x.GetAfter()) == 1 && len(x.GetBefore()) > 1:
					what = "joined"
				case len(x.GetBefore()) == 1 && len(x.GetAfter()) > 1:
					what = "parted"
				}
				t.AppendRow([]any{timeText(x.GetAt()), what, side(x.GetBefore()), side(x.GetAfter())})
			}
			t.Render()
			if r.GetNextPageToken() != "" {
				fmt.Fprintf(c.App.Writer, "there are more: --page %s\n", r.GetNextPageToken())
			}
			return nil
		},
	}
}
