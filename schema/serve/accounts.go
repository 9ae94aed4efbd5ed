package serve

import (
	"context"

	"branchline/schema"
	"branchline/schema/access"
	"branchline/schema/account"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// accounts answers AccountService. The gate has asked the rules; what depends on whose account it is, schema/account asks.
type accounts struct{ a *account.Accounts }

func (h accounts) SignIn(ctx context.Context, r *branchlinev1.SignInRequest) (*branchlinev1.SignInResponse, error) {
	o := originOf(ctx)
	g, err := h.a.SignIn(ctx, account.Try{
		Account: r.GetAccount(), Password: r.GetPassword(), Source: o.source, Label: o.source, Old: o.token, Desk: o.desk,
	})
	if err != nil {
		return nil, err
	}
	return granted(g), nil
}

func granted(g *account.Granted) *branchlinev1.SignInResponse {
	return &branchlinev1.SignInResponse{Token: g.Token, Account: g.Account, ExpiresAt: g.Expires.UnixMilli(), Desk: g.Desk}
}

func (h accounts) SetPin(ctx context.Context, r *branchlinev1.SetPinRequest) (*branchlinev1.Account, error) {
	return h.a.SetPin(ctx, access.CallerFrom(ctx), r.GetAccount(), r.GetPin(), r.GetCurrentPassword())
}

func (h accounts) ListDesk(ctx context.Context, _ *branchlinev1.Empty) (*branchlinev1.ListDeskResponse, error) {
	people, err := h.a.Desk(ctx, originOf(ctx).desk)
	return &branchlinev1.ListDeskResponse{People: people}, err
}

func (h accounts) ListManagers(ctx context.Context, _ *branchlinev1.Empty) (*branchlinev1.ListDeskResponse, error) {
	people, err := h.a.Managers(ctx, access.CallerFrom(ctx))
	return &branchlinev1.ListDeskResponse{People: people}, err
}

func (h accounts) SwitchUser(ctx context.Context, r *branchlinev1.SwitchUserRequest) (*branchlinev1.SignInResponse, error) {
	o := originOf(ctx)
	g, err := h.a.Switch(ctx, account.PinTry{
		Account: r.GetAccount(), Pin: r.GetPin(), Desk: o.desk, Source: o.source, Label: o.source, Old: o.token,
	})
	if err != nil {
		return nil, err
	}
	return granted(g), nil
}

func (h accounts) SignOut(ctx context.Context, _ *branchlinev1.Empty) (*branchlinev1.Empty, error) {
	return &branchlinev1.Empty{}, h.a.SignOut(ctx, access.CallerFrom(ctx), originOf(ctx).desk)
}

func (h accounts) WhoAmI(ctx context.Context, _ *branchlinev1.Empty) (*branchlinev1.Account, error) {
	c := access.CallerFrom(ctx)
	if c.Local {
		return &branchlinev1.Account{Name: c.Account, Staff: c.Staff, Roles: c.Roles}, nil
	}
	return h.a.Get(ctx, c.Account)
}

func (h accounts) CreateAccount(ctx context.Context, r *branchlinev1.CreateAccountRequest) (*branchlinev1.CreateAccountResponse, error) {
	made, err := h.a.Create(ctx, r.GetAccount(), r.GetPassword())
	if err != nil {
		return nil, err
	}
	acc, err := h.a.Get(ctx, r.GetAccount().GetName())
	if err != nil {
		return nil, err
	}
	return &branchlinev1.CreateAccountResponse{Account: acc, Password: made}, nil
}

func (h accounts) UpdateAccount(ctx context.Context, r *branchlinev1.UpdateAccountRequest) (*branchlinev1.Account, error) {
	return h.a.Update(ctx, access.CallerFrom(ctx), account.Change{
		Account: r.GetAccount(), Password: r.GetPassword(), Current: r.GetCurrentPassword(),
	})
}

func (h accounts) ListAccounts(ctx context.Context, _ *branchlinev1.Empty) (*branchlinev1.ListAccountsResponse, error) {
	all, err := h.a.List(ctx)
	return &branchlinev1.ListAccountsResponse{Accounts: all}, err
}

func (h accounts) CreateToken(ctx context.Context, r *branchlinev1.CreateTokenRequest) (*branchlinev1.CreateTokenResponse, error) {
	c := access.CallerFrom(ctx)
	g, err := h.a.CreateToken(ctx, c, r.GetLabel(), int(r.GetDays()))
	if err != nil {
		return nil, err
	}
	return &branchlinev1.CreateTokenResponse{Token: g.Token, Id: g.ID, ExpiresAt: g.Expires.UnixMilli()}, nil
}

func (h accounts) ListSessions(ctx context.Context, _ *branchlinev1.Empty) (*branchlinev1.ListSessionsResponse, error) {
	all, err := h.a.Sessions(ctx, access.CallerFrom(ctx))
	return &branchlinev1.ListSessionsResponse{Sessions: all}, err
}

func (h accounts) EndSession(ctx context.Context, r *branchlinev1.EndSessionRequest) (*branchlinev1.Empty, error) {
	c := access.CallerFrom(ctx)
	if c.Local {
		return nil, schema.Invalid("", "the local token ends with the process")
	}
	return &branchlinev1.Empty{}, h.a.EndSession(ctx, c, r.GetId())
}
