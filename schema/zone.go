package schema

import "time"

// DefaultZone is where a branch's days are counted when nothing else is said.
const DefaultZone = "Asia/Shanghai"

// Zone finds an IANA zone by its name; "" is DefaultZone. ErrInvalid for a name
// that is none: "Local" too, which is another place on every machine.
func Zone(name string) (*time.Location, error) {
	if name == "" {
		name = DefaultZone
	}
	z, err := time.LoadLocation(name)
	switch {
	case err == nil && name != "Local":
		return z, nil
	case name == DefaultZone:
		return time.FixedZone("UTC+8", 8*60*60), nil // no tables on this machine; the same days since 1992
	}
	return nil, Invalid("zone", "%q is not an IANA zone such as Asia/Shanghai", clip(name))
}
