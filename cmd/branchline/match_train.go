package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

func matchTrainCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "train", Usage: "learn a model from headquarters' own registrations, and say what it would change; nothing changes before it is taken",
		Flags: append(siteFlags(), jsonFlag(),
			&cli.IntFlag{Name: "show", Value: 10, Usage: "so many of the customers it would change, 0 to 1000; all are counted"},
			&cli.BoolFlag{Name: "take", Usage: "take it at once"},
			&cli.StringFlag{Name: "version", Usage: "take this model, learned before, instead of learning one"}),
		Action: func(c *cli.Context) error {
			s, err := e.site(c)
			if err != nil {
				return err
			}
			if v := c.String("version"); v != "" {
				return takeModel(c, s, v)
			}
			r, err := s.client.Match.TrainModel(c.Context, &branchlinev1.TrainModelRequest{Show: int32(c.Int("show"))})
			if err != nil {
				return err
			}
			if c.Bool("json") {
				if err := printJSON(c.App.Writer, r); err != nil {
					return err
				}
			} else {
				sayTrained(c, r)
			}
			if !c.Bool("take") {
				return nil
			}
			return takeModel(c, s, r.GetModel().GetVersion())
		},
	}
}

func takeModel(c *cli.Context, s *site, version string) error {
	if _, err := s.client.Match.TakeModel(c.Context, &branchlinev1.TakeModelRequest{Version: version}); err != nil {
		return err
	}
	if !c.Bool("json") {
		fmt.Fprintf(c.App.Writer, "%s is in use; who is one customer follows within moments\n", version)
	}
	return nil
}

func sayTrained(c *cli.Context, r *branchlinev1.TrainModelResponse) {
	w, m := c.App.Writer, r.GetModel()
	fmt.Fprintf(w, "model %s, learned from %d registrations (%s)\n", m.GetVersion(), m.GetRecords(), m.GetState())
	for _, l := range m.GetSummary() {
		fmt.Fprintln(w, " ", l)
	}
	fmt.Fprintf(w, "%d customers now, %d under it; %d of them change\n", r.GetGroupsBefore(), r.GetGroupsAfter(), r.GetChanged())
	for _, x := range r.GetChanges() {
		fmt.Fprintf(w, "  %s → %s\n", groupsText(x.GetBefore()), groupsText(x.GetAfter()))
	}
	if n := int(r.GetChanged()) - len(r.GetChanges()); n > 0 && len(r.GetChanges()) > 0 {
		fmt.Fprintf(w, "  and %d more\n", n)
	}
	if m.GetState() == "proposed" && !c.Bool("take") {
		fmt.Fprintf(w, "take it by: branchline match train --version %s\n", m.GetVersion())
	}
}

// groupsText writes golden customers by their members' ids.
func groupsText(list []*branchlinev1.MatchGroup) string {
	var out []string
	for _, g := range list {
		var ids []string
		for _, m := range g.GetMembers() {
			ids = append(ids, strings.TrimPrefix(m, "customers/"))
		}
		out = append(out, strings.Join(ids, " "))
	}
	return strings.Join(out, " | ")
}

func matchModelsCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "models", Usage: "the models headquarters knows: the one in use, one proposed, former ones", Flags: append(siteFlags(), jsonFlag()),
		Action: func(c *cli.Context) error {
			s, err := e.site(c)
			if err != nil {
				return err
			}
			r, err := s.client.Match.ListModels(c.Context, &branchlinev1.Empty{})
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, r)
			}
			t := newTable(c.App.Writer, "model", "state", "learned", "from", "taken")
			for _, m := range r.GetModels() {
				made := timeText(m.GetMadeAt())
				if made == "" {
					made = "with the program"
				}
				t.AppendRow([]any{m.GetVersion(), m.GetState(), made, m.GetRecords(), timeText(m.GetTakenAt())})
			}
			t.Render()
			return nil
		},
	}
}
