package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"branchline/node/intake"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/mapfile"
)

func importCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "import", Usage: "take a CSV file in at a branch, through a map; exit 4 when rows were rejected",
		ArgsUsage: takes(operands{names: []string{"FILE.csv"}}),
		Description: "--map is a map file or the name of one that comes with the program: " + strings.Join(importMaps(), ", ") + ".\n" +
			"Rejected rows go to FILE.csv.rejects.csv with line, field, value and reason. Running again is the resume:\nrows whose key is in already are skipped.\n" +
			"Rows whose customers look like ones already here are taken all the same; FILE.csv.likes.csv names them.",
		Flags: append(siteFlags(), jsonFlag(),
			&cli.StringFlag{Name: "map", Required: true, Usage: "map file, or the name of one that comes with the program"},
			&cli.StringSliceFlag{Name: "where", Usage: "COLUMN=VALUE: only rows with it; replaces the map's own condition on that column"},
			&cli.StringFlag{Name: "part", Usage: "K/N: the K-th of N parts by the map's shard column"},
			&cli.StringFlag{Name: "zone", Usage: "IANA zone of times whose map names none; the branch's own when not given"},
			&cli.StringFlag{Name: "rejects", Usage: "where rejected rows go, when not beside the file"},
			&cli.StringFlag{Name: "likes", Usage: "where rows go whose customers look like ones already here, when not beside the file"},
			&cli.BoolFlag{Name: "dry-run", Usage: "judge every row, store nothing"}),
		Action: e.importFile,
	}
}

func (e *env) importFile(c *cli.Context) error {
	m, err := loadMap(c.String("map"))
	if err != nil {
		return err
	}
	choice, err := choiceOf(c)
	if err != nil {
		return err
	}
	if _, err = m.With(choice); err != nil {
		return err // before anything is asked
	}
	s, err := e.site(c)
	if err != nil {
		return err
	}
	if choice.Zone == nil {
		if choice.Zone, err = s.zone(c.Context); err != nil {
			return err
		}
	}
	if m, err = m.With(choice); err != nil {
		return err
	}
	b := progress(c, "rows")
	seen := 0
	in, err := intake.New(intake.Config{
		Map: m, File: c.Args().First(), Send: s.records.ImportRows, DryRun: c.Bool("dry-run"), Rejects: c.String("rejects"), Likes: c.String("likes"),
		Progress: func(p intake.Progress) {
			b.add(p.Rows - seen)
			seen = p.Rows
		},
	})
	if err != nil {
		return err
	}
	res, err := in.Run(c.Context)
	b.done()
	if err != nil {
		if res.Done > 0 {
			fmt.Fprintf(e.stderr, "%d rows are in; run the same command again to go on\n", res.Done)
		}
		return err
	}
	return e.sayImported(c, res)
}

func (e *env) sayImported(c *cli.Context, res intake.Result) error {
	if c.Bool("json") {
		b, err := json.Marshal(map[string]any{
			"rows": res.Rows, "left_out": res.Out, "done": res.Done, "skipped": res.Skipped, "rejected": res.Rejected,
			"warned": res.Warned, "encoding": res.Encoding, "rejects": res.Rejects, "alike": res.Alike, "likes": res.Likes, "dry_run": c.Bool("dry-run"),
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(c.App.Writer, "%s\n", b)
		if res.Rejected > 0 {
			return &saidError{exitPartly}
		}
		return nil
	}
	did := "taken in"
	if c.Bool("dry-run") {
		did = "would be taken in"
	}
	fmt.Fprintf(c.App.Writer, "%d rows (%s): %d %s, %d skipped as known, %d left out by the map's conditions, %d rejected\n",
		res.Rows, res.Encoding, res.Done, did, res.Skipped, res.Out, res.Rejected)
	if res.Warned > 0 {
		fmt.Fprintf(c.App.Writer, "%d taken with a doubt, such as:\n", res.Warned)
		for _, w := range res.Warnings {
			fmt.Fprintf(c.App.Writer, "  line %d, %s: %s\n", w.Line, w.Field, w.Reason)
		}
	}
	if res.Alike > 0 {
		fmt.Fprintf(c.App.Writer, "%d customers look like ones already here: see %s\n", res.Alike, res.Likes)
	}
	if res.Rejected > 0 {
		return &partlyError{fmt.Sprintf("%d rows were rejected: see %s, mend them there and import that file with the same map", res.Rejected, res.Rejects)}
	}
	return nil
}

// zone is where a branch counts its days; headquarters has no one zone.
func (s *site) zone(ctx context.Context) (*time.Location, error) {
	l, err := s.self.GetLine(ctx, &branchlinev1.Empty{})
	if err != nil {
		return nil, err
	}
	r, err := s.self.ListBranches(ctx, &branchlinev1.Empty{})
	if err != nil {
		return nil, err
	}
	for _, b := range r.GetBranches() {
		if b.GetCode() == l.GetBranch() {
			return schema.Zone(b.GetZone())
		}
	}
	return schema.Zone("")
}

// importMaps are the embedded maps that are not for matching.
func importMaps() []string {
	return slices.DeleteFunc(mapfile.Names(), func(n string) bool { return strings.HasPrefix(n, "match-") })
}

// loadMap takes a file's path, or the name of an embedded map.
func loadMap(name string) (*mapfile.Map, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) && !strings.ContainsAny(name, `/\.`) {
		return mapfile.Named(name)
	}
	if err != nil {
		return nil, fmt.Errorf("read map: %w", err)
	}
	return mapfile.Parse(name, b)
}

func choiceOf(c *cli.Context) (mapfile.Choice, error) {
	out := mapfile.Choice{Where: map[string]string{}}
	for _, w := range c.StringSlice("where") {
		col, val, ok := strings.Cut(w, "=")
		if !ok || col == "" {
			return out, usage("--where is %q: write it as column=value", w)
		}
		out.Where[col] = val
	}
	if p := c.String("part"); p != "" {
		a, b, _ := strings.Cut(p, "/")
		k, err1 := strconv.Atoi(a)
		n, err2 := strconv.Atoi(b)
		if err1 != nil || err2 != nil || k < 1 || k > n {
			return out, usage("--part is %q: write it as 1/3, 2/3 or 3/3", p)
		}
		out.Part = &mapfile.Part{Of: n, Index: k - 1}
	}
	if z := c.String("zone"); z != "" {
		loc, err := schema.Zone(z)
		if err != nil {
			return out, usage("--zone is %q: an IANA name such as Asia/Shanghai", z)
		}
		out.Zone = loc
	}
	return out, nil
}
