package serve

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

type obj = map[string]any

// openapi describes the services a site has as OpenAPI 3.1: every method is JSON over POST. It is read off the
// descriptors, limits and all, so that it cannot differ from what is served.
func openapi(site access.Site, services []string) ([]byte, error) {
	g := &schemas{out: obj{}}
	paths := obj{}
	for _, name := range slices.Sorted(slices.Values(services)) {
		all := schema.Services()
		at := slices.IndexFunc(all, func(sd protoreflect.ServiceDescriptor) bool { return string(sd.FullName()) == name })
		if at < 0 {
			return nil, fmt.Errorf("serve: openapi: no service %s", name)
		}
		sd := all[at]
		for i := range sd.Methods().Len() {
			md := sd.Methods().Get(i)
			path := "/" + name + "/" + string(md.Name())
			op := obj{
				"operationId": string(sd.Name()) + "_" + string(md.Name()),
				"tags":        []string{string(sd.Name())},
				"description": "Who may: " + access.Who(site, path) + ".",
				"requestBody": obj{"required": true, "content": content(g.ref(md.Input()))},
				"responses": obj{
					"200":     obj{"description": "Done", "content": content(g.ref(md.Output()))},
					"default": obj{"description": "Not done: a code, one sentence, details", "content": content(obj{"$ref": "#/components/schemas/Error"})},
				},
			}
			if access.Public(site, path) {
				op["security"] = []any{}
			}
			if o, ok := md.Options().(*descriptorpb.MethodOptions); ok &&
				o.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS {
				op["x-no-side-effects"] = true
			}
			paths[path] = obj{"post": op}
		}
	}
	g.ref((&branchlinev1.FieldViolation{}).ProtoReflect().Descriptor())
	g.ref((&branchlinev1.ErrorReason{}).ProtoReflect().Descriptor())
	g.ref((&branchlinev1.FieldConflict{}).ProtoReflect().Descriptor())
	g.out["Error"] = obj{
		"type":     "object",
		"required": []string{"code"},
		"properties": obj{
			"code":    obj{"type": "string", "enum": codes()},
			"message": obj{"type": "string"},
			"details": obj{"type": "array", "items": obj{"type": "object", "properties": obj{
				"type":  obj{"type": "string", "description": "branchline.v1.FieldViolation or branchline.v1.FieldConflict"},
				"value": obj{"type": "string", "contentEncoding": "base64"},
				"debug": obj{"description": "the detail as JSON", "anyOf": []any{
					obj{"$ref": "#/components/schemas/branchline.v1.FieldViolation"},
					obj{"$ref": "#/components/schemas/branchline.v1.FieldConflict"},
				}},
			}}},
		},
	}
	b, err := json.Marshal(obj{
		"openapi": "3.1.0",
		"info": obj{
			"title": "Branchline " + string(site), "version": "1",
			"description": "Connect: POST JSON to the path of a method. Fields are in lowerCamelCase; the proto's own names are read too. Numbers of 64 bits are written as strings.",
		},
		"servers":  []any{obj{"url": "/"}},
		"security": []any{obj{"bearer": []any{}}},
		"paths":    paths,
		"components": obj{
			"securitySchemes": obj{"bearer": obj{"type": "http", "scheme": "bearer"}},
			"schemas":         g.out,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("serve: openapi: %w", err)
	}
	return b, g.err
}

func content(schema any) obj { return obj{"application/json": obj{"schema": schema}} }

func codes() []string {
	seen := map[string]bool{"internal": true, "unimplemented": true, "unknown": true, "failed_precondition": true}
	for _, row := range table {
		seen[row.code.String()] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// schemas collects the message and enum types met on the way.
type schemas struct {
	out obj
	err error
}

func (g *schemas) ref(md protoreflect.MessageDescriptor) obj {
	name := string(md.FullName())
	if _, ok := g.out[name]; !ok {
		g.out[name] = nil // messages may hold themselves
		g.out[name] = g.message(md)
	}
	return obj{"$ref": "#/components/schemas/" + name}
}

func (g *schemas) message(md protoreflect.MessageDescriptor) obj {
	props := obj{}
	var required []string
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		p := g.one(fd)
		if fd.IsList() {
			p = obj{"type": "array", "items": p}
		}
		rules, err := protovalidate.ResolveFieldRules(fd)
		if err != nil {
			g.err = fmt.Errorf("serve: openapi: rules of %s: %w", fd.FullName(), err)
			continue
		}
		if s := rules.GetString(); s != nil {
			limit(p, "minLength", s.GetMinLen(), s.HasMinLen())
			limit(p, "maxLength", s.GetMaxLen(), s.HasMaxLen())
		}
		if n := rules.GetInt32(); n != nil {
			limit(p, "minimum", n.GetGte(), n.HasGte())
			limit(p, "maximum", n.GetLte(), n.HasLte())
		}
		if l := rules.GetRepeated(); l != nil {
			limit(p, "minItems", l.GetMinItems(), l.HasMinItems())
			limit(p, "maxItems", l.GetMaxItems(), l.HasMaxItems())
			if s := l.GetItems().GetString(); s != nil && fd.IsList() {
				items := p["items"].(obj)
				limit(items, "minLength", s.GetMinLen(), s.HasMinLen())
				limit(items, "maxLength", s.GetMaxLen(), s.HasMaxLen())
			}
		}
		props[fd.JSONName()] = p
		if rules.GetRequired() {
			required = append(required, fd.JSONName())
		}
	}
	out := obj{"type": "object", "properties": props}
	if required != nil {
		out["required"] = required
	}
	var choices []string
	for i := range md.Oneofs().Len() {
		od := md.Oneofs().Get(i)
		if od.IsSynthetic() {
			continue
		}
		for j := range od.Fields().Len() {
			choices = append(choices, od.Fields().Get(j).JSONName())
		}
		out["description"] = "At most one of " + strings.Join(choices, ", ") + "."
	}
	return out
}

func limit[N any](p obj, key string, n N, has bool) {
	if has {
		p[key] = n
	}
}

// one is the JSON of one value, as protojson writes it.
func (g *schemas) one(fd protoreflect.FieldDescriptor) obj {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return obj{"type": "boolean"}
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind, protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return obj{"type": "integer", "format": "int32"}
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return obj{"type": []string{"string", "integer"}, "format": "int64"}
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return obj{"type": "number"}
	case protoreflect.BytesKind:
		return obj{"type": "string", "contentEncoding": "base64"}
	case protoreflect.EnumKind:
		ed := fd.Enum()
		name := string(ed.FullName())
		if g.out[name] == nil {
			var names []string
			for i := range ed.Values().Len() {
				names = append(names, string(ed.Values().Get(i).Name()))
			}
			g.out[name] = obj{"type": "string", "enum": names}
		}
		return obj{"$ref": "#/components/schemas/" + name}
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return g.ref(fd.Message())
	}
	return obj{"type": "string"}
}
