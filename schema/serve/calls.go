package serve

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"branchline/schema"
	"branchline/schema/access"
	"branchline/schema/gen/branchline/v1/branchlinev1connect"
)

// timeLimit is how long a call may be worked on.
func timeLimit(procedure string) time.Duration {
	switch procedure {
	case branchlinev1connect.RecordServiceWhereProcedure: // waits up to 60 s by itself
		return 70 * time.Second
	case branchlinev1connect.RecordServiceImportRowsProcedure, branchlinev1connect.HeadquartersServiceReportProcedure:
		return 2 * time.Minute
	case branchlinev1connect.SiteServiceVerifyProcedure, branchlinev1connect.SiteServiceRepairProcedure,
		branchlinev1connect.SiteServiceBackupProcedure, branchlinev1connect.MatchServiceTrainModelProcedure:
		return 30 * time.Minute
	}
	return 30 * time.Second
}

// gate asks the rules before any of the message is read.
func (s *Server) gate(ctx context.Context, spec connect.Spec, _ connect.Peer, _ http.Header) (context.Context, error) {
	c := access.CallerFrom(ctx)
	switch {
	case c.OneTime && !access.MayFirst(spec.Procedure):
		return nil, s.edge(ctx, spec.Procedure, fmt.Errorf("the password you signed in with is for one use: set your own first: %w", schema.ErrForbidden))
	case access.Allowed(s.c.Site, spec.Procedure, c.Roles):
		return nil, nil
	case !c.Known():
		return nil, s.edge(ctx, spec.Procedure, fmt.Errorf("sign in first: %w", schema.ErrUnsigned))
	}
	return nil, s.edge(ctx, spec.Procedure, fmt.Errorf("your role may not do this (%s may): %w",
		access.Who(s.c.Site, spec.Procedure), schema.ErrForbidden))
}

// intercept runs a call: bounded in time, validated, panics caught, errors turned.
func (s *Server) intercept(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		what := req.Spec().Procedure
		ctx, cancel := context.WithTimeout(ctx, timeLimit(what))
		defer cancel()
		res, err := s.run(ctx, what, req, next)
		if err != nil {
			return nil, s.edge(ctx, what, err)
		}
		return res, nil
	}
}

func (s *Server) run(ctx context.Context, what string, req connect.AnyRequest, next connect.UnaryFunc) (res connect.AnyResponse, err error) {
	defer func() {
		if p := recover(); p != nil {
			res, err = nil, &shown{ref: s.logPanic(p, what)}
		}
	}()
	m, ok := req.Any().(proto.Message)
	if !ok {
		return nil, fmt.Errorf("serve: %T is no message", req.Any())
	}
	if err := schema.Validate(m); err != nil {
		return nil, err
	}
	if err := s.pace(ctx, m); err != nil {
		return nil, err
	}
	res, err = next(ctx, req)
	if err == nil {
		s.giveBack(ctx, m, res.Any())
	}
	return res, err
}
