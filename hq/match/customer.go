package match

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"errors"
	"fmt"
	"io"
)

// CustomerFields are the columns that a group's customers are matched by, in the order
// of the values of a Record. Several values of one column stand apart by a semicolon.
// last4 is the end of the national id as it may be shown; id_hash is a token that is
// equal for equal ids and says nothing else.
func CustomerFields() []Field {
	return []Field{
		{"name", Name},
		{"other_names", Name},
		{"phones", Phone},
		{"last4", Last4},
		{"id_hash", NationalID},
		{"address", Address},
		{"email", Email},
		{"birthday", Birthday},
		{"plates", Plate},
		{"vins", VIN},
		{"type", Category},
	}
}

//go:embed base.json.gz
var base []byte

// latinName is what the base model takes a person's name in Latin letters to be worth at
// most: that of one in 256. A group of such customers learns better from its own records.
const latinName Bits = 800

// maxBase bounds the base model, unpacked.
const maxBase = 8 << 20

// Base is the model for CustomerFields before a group has records of its own to learn
// from: learned from made registrations at Chinese dealers' counters, for a million
// records. make generate makes its file.
func Base() (*Model, error) {
	z, err := gzip.NewReader(bytes.NewReader(base))
	if err != nil {
		return nil, fmt.Errorf("match: the base model: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(z, maxBase))
	if err = errors.Join(err, z.Close()); err != nil {
		return nil, fmt.Errorf("match: the base model: %w", err)
	}
	m, err := Load(b)
	if err != nil {
		return nil, err
	}
	m.latin = latinName
	return m, nil
}
