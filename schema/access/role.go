package access

import (
	"slices"
	"strings"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Short names for the table.
const (
	clerk       = branchlinev1.Role_ROLE_CLERK
	technician  = branchlinev1.Role_ROLE_TECHNICIAN
	adviser     = branchlinev1.Role_ROLE_ADVISER
	salesperson = branchlinev1.Role_ROLE_SALESPERSON
	care        = branchlinev1.Role_ROLE_CUSTOMER_CARE
	manager     = branchlinev1.Role_ROLE_BRANCH_MANAGER
	analyst     = branchlinev1.Role_ROLE_HQ_ANALYST
	steward     = branchlinev1.Role_ROLE_HQ_STEWARD
	admin       = branchlinev1.Role_ROLE_HQ_ADMINISTRATOR
	privacy     = branchlinev1.Role_ROLE_PRIVACY_OFFICER
	auditor     = branchlinev1.Role_ROLE_AUDITOR
)

// BranchRoles are the roles a branch may give, HQRoles those only HQ may give.
func BranchRoles() []branchlinev1.Role {
	return []branchlinev1.Role{clerk, technician, adviser, salesperson, care, manager}
}

// HQRoles are the roles only HQ may give.
func HQRoles() []branchlinev1.Role {
	return []branchlinev1.Role{analyst, steward, admin, privacy, auditor}
}

// IsBranchRole tells whether r is a role of a branch.
func IsBranchRole(r branchlinev1.Role) bool { return slices.Contains(BranchRoles(), r) }

// RolesOf are the roles an account of the site can have.
func RolesOf(site Site) []branchlinev1.Role {
	if site == HQ {
		return HQRoles()
	}
	return BranchRoles()
}

// Administrator is the role that keeps the accounts of a site.
func Administrator(site Site) branchlinev1.Role {
	if site == HQ {
		return admin
	}
	return manager
}

// CheckBranchGives refuses roles that a branch may not write into a staff record. HQ asks it of every change that comes
// up, a branch before it saves. errors.Is(err, schema.ErrForbidden).
func CheckBranchGives(roles []branchlinev1.Role) error {
	for _, r := range roles {
		if !IsBranchRole(r) {
			return &RoleError{Role: r}
		}
	}
	return nil
}

// RoleError says that somebody tried to give a role that is not theirs to give.
type RoleError struct{ Role branchlinev1.Role }

func (e *RoleError) Error() string {
	return "not allowed: a branch cannot give the role " + Name(e.Role) + "; HQ gives it"
}

// Is makes errors.Is(err, schema.ErrForbidden) hold.
func (e *RoleError) Is(target error) bool { return target == schema.ErrForbidden }

// Name is the role in words, in English, as in error messages and the command line.
func Name(r branchlinev1.Role) string {
	switch r {
	case clerk:
		return "clerk"
	case technician:
		return "technician"
	case adviser:
		return "adviser"
	case salesperson:
		return "salesperson"
	case care:
		return "customer-care"
	case manager:
		return "branch-manager"
	case analyst:
		return "hq-analyst"
	case steward:
		return "hq-steward"
	case admin:
		return "hq-administrator"
	case privacy:
		return "privacy-officer"
	case auditor:
		return "auditor"
	}
	return "no role"
}

// Named reads what Name wrote. schema.ErrInvalid if there is no such role.
func Named(name string) (branchlinev1.Role, error) {
	for _, r := range append(BranchRoles(), HQRoles()...) {
		if Name(r) == name {
			return r, nil
		}
	}
	return 0, schema.Invalid("roles", "%q is no role: the roles of a branch are %s; those of HQ %s", name,
		Names(BranchRoles()), Names(HQRoles()))
}

// Names lists roles in words.
func Names(roles []branchlinev1.Role) string {
	s := make([]string, len(roles))
	for i, r := range roles {
		s[i] = Name(r)
	}
	return strings.Join(s, ", ")
}

// Word is the key of the role's name in the catalogues of the pages (schema/look).
func Word(r branchlinev1.Role) string { return "role." + strings.ReplaceAll(Name(r), "-", "_") }
