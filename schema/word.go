package schema

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// HQ's words (receipts, certificates, the line of epochs) are stored and shown
// to HQ again later, so they are signed: a marshalled wirev1.Signed. The
// signature covers the message's name, a zero byte and the body, so that no word
// can pass for one of another kind.

// SignWord makes a signed word of m. key is the signer's public key, sign gives its signature.
func SignWord(m proto.Message, key string, sign func([]byte) ([]byte, error)) ([]byte, error) {
	body, err := proto.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("schema: sign %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	sig, err := sign(wordBytes(m, body))
	if err != nil {
		return nil, fmt.Errorf("schema: sign %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	b, err := proto.Marshal(&wirev1.Signed{Body: body, Signature: sig, Key: key})
	if err != nil {
		return nil, fmt.Errorf("schema: sign %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return b, nil
}

// OpenWord checks a signed word with verify, which is given the signer's key and
// decides whether it is one to be believed, and reads it into m. An error
// satisfies ErrInvalid and leaves m undefined.
func OpenWord(signed []byte, m proto.Message, verify func(key string, msg, sig []byte) error) error {
	name := string(m.ProtoReflect().Descriptor().Name())
	w := new(wirev1.Signed)
	if err := proto.Unmarshal(signed, w); err != nil {
		return Invalid(name, "is no signed word: %v", err)
	}
	if err := verify(w.GetKey(), wordBytes(m, w.GetBody()), w.GetSignature()); err != nil {
		return Invalid(name, "has a signature that does not count: %v", err)
	}
	if err := proto.Unmarshal(w.GetBody(), m); err != nil {
		return Invalid(name, "cannot be read: %v", err)
	}
	return nil
}

func wordBytes(m proto.Message, body []byte) []byte {
	name := m.ProtoReflect().Descriptor().FullName()
	out := make([]byte, 0, len(name)+1+len(body))
	return append(append(append(out, name...), 0), body...)
}
