package serve

import (
	"net"
	"slices"
)

// OwnAddresses are the addresses by which other machines may reach this one, IPv4
// first; none when it has no network.
func OwnAddresses() []string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil // as on a machine without a network
	}
	var four, six []string
	for _, a := range all {
		n, ok := a.(*net.IPNet)
		switch {
		case !ok || !n.IP.IsGlobalUnicast():
		case n.IP.To4() != nil:
			four = append(four, n.IP.String())
		default:
			six = append(six, n.IP.String())
		}
	}
	return slices.Concat(four, six)
}
