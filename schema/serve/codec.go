package serve

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// jsonName is Connect's name of its JSON codec, which the one here takes the place of.
const jsonName = "json"

// strictJSON is JSON as Connect speaks it, but for fields and enum values that the schema does not have: Connect passes
// over them, and who misspells a field would be told that all went well.
type strictJSON struct{ name string }

func (c strictJSON) Name() string { return c.name }

// IsBinary tells Connect that the bytes may stand in a URL as they are.
func (strictJSON) IsBinary() bool { return false }

func (strictJSON) Marshal(v any) ([]byte, error) {
	m, err := messageOf(v)
	if err != nil {
		return nil, err
	}
	return protojson.Marshal(m)
}

func (strictJSON) Unmarshal(b []byte, v any) error {
	m, err := messageOf(v)
	if err != nil {
		return err
	}
	return protojson.Unmarshal(b, m)
}

func messageOf(v any) (proto.Message, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("serve: %T is no message", v)
	}
	return m, nil
}
