package api

import (
	"context"

	"branchline/hq/golden"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

func epochOf(e golden.Epoch) *branchlinev1.MatchModel {
	return &branchlinev1.MatchModel{Version: e.Version, State: e.State, MadeAt: e.Made, TakenAt: e.Taken, Records: e.Records, Summary: e.Summary}
}

// ListModels says by which models registrations were and may be compared.
func (h *Match) ListModels(ctx context.Context, _ *branchlinev1.Empty) (*branchlinev1.ListModelsResponse, error) {
	if err := may(ctx, matchService, "ListModels"); err != nil {
		return nil, err
	}
	list, err := h.c.Match.Models(ctx)
	if err != nil {
		return nil, err
	}
	out := &branchlinev1.ListModelsResponse{}
	for _, e := range list {
		out.Models = append(out.Models, epochOf(e))
	}
	return out, nil
}

// TrainModel learns a model from the group's registrations and says what it would change.
// Nothing changes before it is taken.
func (h *Match) TrainModel(ctx context.Context, req *branchlinev1.TrainModelRequest) (*branchlinev1.TrainModelResponse, error) {
	if err := may(ctx, matchService, "TrainModel"); err != nil {
		return nil, err
	}
	// What it would change is told of the groups as they are when all is grouped.
	if err := h.c.Match.Catch(ctx); err != nil {
		return nil, err
	}
	t, err := h.c.Match.Train(ctx, int(req.GetShow()))
	if err != nil {
		return nil, err
	}
	out := &branchlinev1.TrainModelResponse{Model: epochOf(t.Epoch), GroupsBefore: t.Before, GroupsAfter: t.After, Changed: t.Changed}
	for _, e := range t.Changes {
		out.Changes = append(out.Changes, &branchlinev1.MatchEvent{Before: groupsOf(e.Before), After: groupsOf(e.After), Model: e.Model})
	}
	return out, nil
}

// TakeModel puts a model in use. The groups follow behind the line.
func (h *Match) TakeModel(ctx context.Context, req *branchlinev1.TakeModelRequest) (*branchlinev1.Empty, error) {
	if err := may(ctx, matchService, "TakeModel"); err != nil {
		return nil, err
	}
	return &branchlinev1.Empty{}, h.c.Match.Take(ctx, req.GetVersion())
}
