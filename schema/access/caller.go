package access

import (
	"context"
	"fmt"
	"slices"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Site is the sort of site a rule is for.
type Site string

// The sorts of site.
const (
	Node Site = "node"
	HQ   Site = "hq"
)

// LocalName is the account and staff code of the caller who holds the local token of this boot.
const LocalName = "local"

// Caller is who is asking. The zero Caller is nobody: it may do only what is public.
type Caller struct {
	Account string
	Staff   string // code written into changes
	Roles   []branchlinev1.Role
	Local   bool   // has the local token of this boot: the owner of the site's folder
	Session string // id of the session or API token used; "" for Local
	OneTime bool   // signed in with a password for one use: see MayFirst
	// Language is the account's own; unspecified: as the browser asks.
	Language branchlinev1.Language
}

// Known tells whether the caller is anybody at all.
func (c Caller) Known() bool { return c.Account != "" }

// Has tells whether the caller has the role.
func (c Caller) Has(r branchlinev1.Role) bool { return slices.Contains(c.Roles, r) }

// IsAdministrator tells whether the caller may keep the accounts of the site.
func (c Caller) IsAdministrator(site Site) bool { return c.Has(Administrator(site)) }

// RoleFor is the role by which the caller may do what: the one to write into a change. It is ROLE_UNSPECIFIED if there
// is none, or if any caller may.
func (c Caller) RoleFor(site Site, what string) branchlinev1.Role {
	for _, r := range c.Roles {
		if Allowed(site, what, []branchlinev1.Role{r}) {
			return r
		}
	}
	return branchlinev1.Role_ROLE_UNSPECIFIED
}

type callerKey struct{}

// With puts the caller into the context.
func With(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom is the caller of this request; the zero Caller if nobody is signed in.
func CallerFrom(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// CheckRead refuses with schema.ErrForbidden a caller who may not see records of the kind.
func (c Caller) CheckRead(site Site, k schema.Kind) error {
	if MayRead(site, k, c.Roles) {
		return nil
	}
	return fmt.Errorf("your role may not see records of the kind %s: %w", kindName(k), schema.ErrForbidden)
}

// Kinds are those of the collections named, or all that the caller may see when none is. ErrInvalid for what is no
// collection, schema.ErrForbidden for one the caller may not see.
func (c Caller) Kinds(site Site, collections []string) ([]schema.Kind, error) {
	var out []schema.Kind
	for _, name := range collections {
		k := schema.KindOfCollection(name)
		if k == nil {
			return nil, schema.Invalid("collections", "there is no collection %q", name)
		}
		if err := c.CheckRead(site, k.Kind); err != nil {
			return nil, err
		}
		out = append(out, k.Kind)
	}
	if len(collections) > 0 {
		return out, nil
	}
	for _, k := range schema.Kinds() {
		if MayRead(site, k.Kind, c.Roles) {
			out = append(out, k.Kind)
		}
	}
	return out, nil
}

// CheckWrite refuses with schema.ErrForbidden a caller who may not write records of the kind, or not one of the fields:
// what somebody does not see they do not change either. It does not ask whose record it is.
func (c Caller) CheckWrite(site Site, k schema.Kind, fields ...*schema.FieldInfo) error {
	if !MayWrite(site, k, c.Roles) {
		return fmt.Errorf("your role may not change records of the kind %s: %w", kindName(k), schema.ErrForbidden)
	}
	hide := HideFor(c.Roles)
	for _, f := range fields {
		if hide(f) || holdsHidden(f, hide) {
			return fmt.Errorf("your role may not change %s.%s: %w", kindName(k), f.Name, schema.ErrForbidden)
		}
	}
	return nil
}

func kindName(k schema.Kind) string {
	if info := schema.KindOf(k); info != nil {
		return info.Name
	}
	return "unknown"
}
