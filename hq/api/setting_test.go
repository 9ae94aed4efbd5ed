package api_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// The figures of the house are the administrator's, and what nobody could read is not taken.
func TestSettings_areTheAdministratorsAndReadable(t *testing.T) {
	g := newRig(t)
	c := g.as(branchlinev1.Role_ROLE_HQ_ADMINISTRATOR)
	create := func(name, value string) (*branchlinev1.Record, error) {
		return c.Records.CreateRecord(t.Context(), &branchlinev1.CreateRecordRequest{Record: record(t, &branchlinev1.Setting{
			Name: &name, Value: &value, From: proto.String("2026-01-01"),
		})})
	}
	_, err := create("discount_limits/adviser", "bp=500")
	wantsField(t, "a name nobody asks for", err, "record.setting.name")
	_, err = create("discount_limit/adviser", "5 %")
	wantsField(t, "a value nobody can read", err, "record.setting.value")
	r, err := create("discount_limit/adviser", "bp=500")
	if err != nil {
		t.Fatal(err)
	}
	if r.GetSetting().GetBranch() != "" {
		t.Errorf("it holds for one branch only: %v", r.GetSetting())
	}
	change := func(value string) error {
		next := proto.CloneOf(r)
		next.GetSetting().Value = &value
		_, err := c.Records.UpdateRecord(t.Context(), &branchlinev1.UpdateRecordRequest{Record: next, UpdateMask: []string{"value"}})
		return err
	}
	wantsField(t, "a value nobody can read", change("five"), "record.setting.value")
	if err := change("bp=800"); err != nil {
		t.Error(err)
	}
	_, err = g.as(steward).Records.CreateRecord(t.Context(), &branchlinev1.CreateRecordRequest{Record: record(t, &branchlinev1.Setting{
		Name: proto.String("repair_guarantee"), Value: proto.String("days=90 km=10000"), From: proto.String("2026-01-01"),
	})})
	wants(t, "a steward gives a setting", err, schema.ErrForbidden)
}
