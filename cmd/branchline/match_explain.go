package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"branchline/hq/match"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

func matchExplainCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "explain", Usage: "say why two records are one, or not: what agrees, what it weighs, and the path between them",
		Description: "At headquarters (--dir or --at) A and B are registrations of customers: names such as customers/01J…, or the ids alone.\nOf a file (--map and --in) they are ids of its records.",
		ArgsUsage:   takes(operands{names: []string{"A", "B"}}),
		Flags:       explainFlags(),
		Action: func(c *cli.Context) error {
			if c.IsSet("dir") || c.IsSet("at") {
				return e.explainHere(c)
			}
			if !c.IsSet("map") || !c.IsSet("in") {
				return usage("match explain: say where: --dir or --at of headquarters, or --map and --in of a file")
			}
			return e.matchExplain(c)
		},
	}
}

// explainFlags are those of a site and those of a file, of which either is given.
func explainFlags() []cli.Flag {
	file := matchFlags()
	for _, f := range file {
		if s, ok := f.(*cli.StringFlag); ok {
			s.Required = false
		}
	}
	return slices.Concat(siteFlags(), file)
}

// explainHere asks headquarters about two registrations.
func (e *env) explainHere(c *cli.Context) error {
	for _, name := range []string{"map", "in", "model", "answers"} {
		if c.IsSet(name) {
			return usage("match explain: --%s is of a file, and --dir and --at are headquarters': give one or the other", name)
		}
	}
	s, err := e.site(c)
	if err != nil {
		return err
	}
	x, err := s.client.Match.Explain(c.Context, &branchlinev1.ExplainMatchRequest{A: customerName(c.Args().Get(0)), B: customerName(c.Args().Get(1))})
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, x)
	}
	names := called{c, s, map[string]string{}}
	for i, name := range []string{x.GetA(), x.GetB()} {
		text, err := names.name(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.App.Writer, "%s = %s  %s\n", []string{"A", "B"}[i], name, text)
	}
	w := match.Explanation{
		A: "A", B: "B", Model: x.GetModel(), Same: x.GetSame(), Score: match.Bits(x.GetScore()), Story: x.GetStory(), Odds: match.Bits(x.GetOdds()),
		Veto: x.GetVeto(), Found: x.GetCompared(),
	}
	if x.GetVerdict() != branchlinev1.Verdict_VERDICT_UNSPECIFIED {
		w.Decision = strings.TrimSpace(strings.ToLower(x.GetVerdict().String()) + " " + x.GetDecision())
	}
	for _, l := range x.GetEvidence() {
		if l.GetA() == "" && l.GetB() == "" && l.GetWeight() == 0 {
			continue // neither says anything
		}
		w.Lines = append(w.Lines, match.Evidence{Columns: l.GetType(), A: l.GetA(), B: l.GetB(), Level: l.GetLevel(), Weight: match.Bits(l.GetWeight()), Rarity: match.Bits(l.GetRarity())})
	}
	for _, p := range x.GetPath() {
		w.Path = append(w.Path, match.Step{From: p.GetFrom(), To: p.GetTo(), Score: match.Bits(p.GetScore()), Said: p.GetSaid()})
	}
	e.sayWhy(c, w)
	return nil
}

func (e *env) matchExplain(c *cli.Context) error {
	x, err := loadMatch(c)
	if err != nil {
		return err
	}
	var pair [2]match.Record
	for i := range pair {
		for _, r := range x.records {
			if r.ID == c.Args().Get(i) {
				pair[i] = r
			}
		}
		if pair[i].ID == "" {
			return fmt.Errorf("record %q: %w", c.Args().Get(i), schema.ErrNotFound)
		}
	}
	eng, err := x.engine(straight(len(x.records)))
	if err != nil {
		return err
	}
	w, err := eng.Explain(pair[0], pair[1])
	if err != nil {
		return err
	}
	if c.Bool("json") {
		b, err := json.Marshal(w)
		if err != nil {
			return fmt.Errorf("match explain: %w", err)
		}
		fmt.Fprintf(c.App.Writer, "%s\n", b)
		return nil
	}
	e.sayWhy(c, w)
	return nil
}

var stories = map[string]string{"strangers": "two strangers", "sharers": "two who share a household or site", "neighbours": "two of one area"}

func (e *env) sayWhy(c *cli.Context, w match.Explanation) {
	out := c.App.Writer
	verdict := "are not one"
	if w.Same {
		verdict = "are one"
	}
	fmt.Fprintf(out, "%s and %s %s (model %s). As a pair they score %s bits; from 0 on a pair is called one.\n", w.A, w.B, verdict, w.Model, bits(w.Score))
	fmt.Fprintf(out, "The strongest other story is %s; before anything is compared, one party has %s bits against it.\n", stories[w.Story], bits(w.Odds))
	if w.Veto {
		fmt.Fprintln(out, "Their full names conflict, which one party's never do in these records: they are kept apart.")
	}
	if !w.Found {
		fmt.Fprintln(out, "They share no key that is rare enough, so that they are joined through others or not at all.")
	}
	if w.Decision != "" {
		fmt.Fprintf(out, "A person said: %s.\n", w.Decision)
	}
	t := newTable(out, "columns", w.A, w.B, "agree on", "weight", "of rarity")
	for _, l := range w.Lines {
		rarity := ""
		if l.Rarity > 0 {
			rarity = bits(l.Rarity)
		}
		t.AppendRow([]any{l.Columns, l.A, l.B, l.Level, bits(l.Weight), rarity})
	}
	t.Render()
	for _, s := range w.Path {
		by := bits(s.Score) + " bits"
		if s.Said {
			by = "a person's word"
		}
		fmt.Fprintf(out, "%s — %s: %s\n", s.From, s.To, by)
	}
}
