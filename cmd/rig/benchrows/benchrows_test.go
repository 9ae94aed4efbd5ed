package benchrows

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/sample"
)

// bytesOf are the two files of the workload.
func bytesOf(t testing.TB, cfg Config) (bulk, single []byte) {
	t.Helper()
	for r := range All(cfg) {
		to := &bulk
		if r.Single {
			to = &single
		}
		var err error
		if *to, err = r.AppendLine(*to); err != nil {
			t.Fatal(err)
		}
	}
	return bulk, single
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// The bytes other systems were measured with.
func TestAll_SameBytesAsTheWorkload(t *testing.T) {
	dir := sample.Path(t, "bench", "gen")
	for _, c := range []struct {
		cfg  Config
		args []string
	}{
		{Config{}, nil},
		{Config{Seed: 7, Customers: 30, Orders: 50, Single: 20, Branch: "X9"}, []string{"-seed", "7", "-customers", "30", "-orders", "50", "-single", "20", "-branch", "X9"}},
	} {
		out := t.TempDir()
		cmd := exec.Command("go", append([]string{"run", filepath.Join(dir, "main.go"), "-out", out}, c.args...)...)
		if b, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		bulk, single := bytesOf(t, c.cfg)
		for name, got := range map[string][]byte{"bulk.ndjson": bulk, "single.ndjson": single} {
			want, err := os.ReadFile(filepath.Join(out, name))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				i := 0
				for i < min(len(got), len(want)) && got[i] == want[i] {
					i++
				}
				t.Errorf("%s: %s instead of %s; they part at byte %d of %d: %.200s", name, sum(got), sum(want), i, len(want), got[i:])
			}
		}
	}
}

// The same without the generator at hand.
func TestAll_Fixed(t *testing.T) {
	bulk, single := bytesOf(t, Config{})
	if got := sum(bulk); got != bulkSum {
		t.Errorf("bulk: %s", got)
	}
	if got := sum(single); got != singleSum {
		t.Errorf("single: %s", got)
	}
	if bytes.Count(bulk, []byte("\n")) != 80_000 || bytes.Count(single, []byte("\n")) != 10_000 {
		t.Error("wrong number of rows")
	}
}

const (
	bulkSum   = "672a8690f341ea767c04fd512dc1a87fdc29e88819f22247bad743d99a465f5f"
	singleSum = "0e77fcdd5a88b54830635307f4569949a5f74b85d8c06b7ffa16a40925f49e5f"
)

func TestMessage_ValidAndWhole(t *testing.T) {
	id := schema.RecordID{1}.String()
	sizes, n := 0, 0
	for r := range All(Config{Customers: 200, Orders: 300, Single: 1}) {
		m := r.Message(id)
		if err := schema.Validate(m); err != nil {
			t.Fatalf("%s: %v", r.Key(), err)
		}
		sizes += proto.Size(m)
		n++
		line, err := r.AppendLine(nil)
		if err != nil {
			t.Fatal(err)
		}
		switch m := m.(type) {
		case *branchlinev1.Customer:
			for _, s := range []string{m.GetRemark(), m.GetEmails()[0], m.GetPhones()[0].GetNumber(), m.GetAddresses()[0].GetStreet()} {
				if s == "" || !bytes.Contains(line, []byte(s)) {
					t.Fatalf("%q is not of the row %s", s, line)
				}
			}
		case *branchlinev1.ServiceOrder:
			if m.GetState() == 0 || m.GetEstimateAmount() != int64(r.Order.TotalCents) || m.GetComplaint() != r.Order.Complaint {
				t.Fatalf("%v of %s", m, line)
			}
		}
	}
	t.Logf("%d bytes a record", sizes/n)
}
