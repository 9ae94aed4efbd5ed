package main

import (
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v2"

	"branchline/hq/match"
	"branchline/schema"
)

func matchScoreCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "score", Usage: "measure clusters against the truth: pairwise precision, recall, F1, B³, the largest cluster",
		ArgsUsage: takes(operands{names: []string{"CLUSTERS.csv"}}),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "truth", Required: true, Usage: "CSV whose first two columns are record id and true cluster, with a header"},
			jsonFlag(),
		},
		Action: e.matchScore,
	}
}

func (e *env) matchScore(c *cli.Context) error {
	truth, err := readClusters(c.String("truth"))
	if err != nil {
		return err
	}
	got, err := readClusters(c.Args().First())
	if err != nil {
		return err
	}
	for id := range truth {
		if _, ok := got[id]; !ok {
			return schema.Invalid("", "the record %q of %s stands in no cluster of %s", id, c.String("truth"), c.Args().First())
		}
	}
	m := match.Compare(truth, got)
	if c.Bool("json") {
		b, err := json.Marshal(map[string]any{
			"records": m.Records, "clusters": m.Clusters, "largest": m.Largest, "true_pairs": m.True, "found_pairs": m.Found, "right_pairs": m.Right,
			"precision": m.Precision(), "recall": m.Recall(), "f1": m.F1(), "b3_precision": m.B3Precision, "b3_recall": m.B3Recall, "b3": m.B3(),
		})
		if err != nil {
			return fmt.Errorf("match score: %w", err)
		}
		fmt.Fprintf(c.App.Writer, "%s\n", b)
		return nil
	}
	fmt.Fprintf(c.App.Writer, "pairs: precision %.4f, recall %.4f, F1 %.4f (%d true, %d found, %d right)\n", m.Precision(), m.Recall(), m.F1(), m.True, m.Found, m.Right)
	fmt.Fprintf(c.App.Writer, "B³: precision %.4f, recall %.4f, F1 %.4f\n", m.B3Precision, m.B3Recall, m.B3())
	fmt.Fprintf(c.App.Writer, "%d records in %d clusters, the largest of %d\n", m.Records, m.Clusters, m.Largest)
	return nil
}

// readClusters reads a file of record id and cluster with a header.
func readClusters(name string) (map[string]string, error) {
	rows, err := readPairs(name, 2)
	if err != nil {
		return nil, err
	}
	if len(rows) < 2 {
		return nil, schema.Invalid("", "%s has no rows behind its header", name)
	}
	out := make(map[string]string, len(rows))
	for i, r := range rows[1:] {
		if r[0] == "" || r[1] == "" {
			return nil, schema.Invalid("", "%s row %d: the record id or the cluster is empty", name, i+2)
		}
		if _, ok := out[r[0]]; ok {
			return nil, schema.Invalid("", "%s row %d: the record %q stands there twice", name, i+2, r[0])
		}
		out[r[0]] = r[1]
	}
	return out, nil
}
