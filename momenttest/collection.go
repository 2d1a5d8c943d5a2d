package momenttest

import (
	"maps"
	"net/http"
	"slices"
)

// A collection contains all objects of one kind. An id takes precedence over an external reference,
// because a bill's reference may be written like an id.
type collection[T any] struct {
	kind        string // the name of the parameter that names an existing object: "customer"
	byID        map[string]*T
	byReference map[string]*T
	ordered     []*T // in the order of their creation
	changed     []*T // since the journal was last written
}

func newCollection[T any](kind string) collection[T] {
	return collection[T]{kind: kind, byID: map[string]*T{}, byReference: map[string]*T{}}
}

func (c collection[T]) clone() collection[T] {
	return collection[T]{c.kind, maps.Clone(c.byID), maps.Clone(c.byReference), slices.Clip(c.ordered), slices.Clip(c.changed)}
}

// lookup returns nil if no object has the id or external reference.
func (c *collection[T]) lookup(name string) *T {
	if object, ok := c.byID[name]; ok {
		return object
	}
	return c.byReference[name]
}

// find looks an object up by its id or its external reference.
func (c *collection[T]) find(name string) (*T, *problem) {
	if object := c.lookup(name); object != nil {
		return object, nil
	}
	return nil, newProblem(http.StatusNotFound, "No %s has the id or external reference %q.", c.kind, name)
}

// add stores a new object. An object that is stored already does not change, because a composite
// request may name an existing one. The path is that of the object's own parameters.
func (c *collection[T]) add(object *T, id, reference, path string) *problem {
	if c.byID[id] == object {
		return nil
	}
	if _, taken := c.byID[id]; taken { // by a seeded object: other ids are random
		return newProblem(http.StatusConflict, "%sid %q belongs to another %s.", path, id, c.kind)
	}
	if _, taken := c.byReference[reference]; taken {
		return newProblem(http.StatusConflict, "%sexternal_reference %q belongs to another %s.", path, reference, c.kind)
	}
	c.byID[id], c.byReference[reference] = object, object
	c.ordered, c.changed = append(c.ordered, object), append(c.changed, object)
	return nil
}

// refer reads the parameter of the collection's kind: an id, an external reference, or the
// parameters of a new object, which read makes. After a problem the result is an empty object.
func (c *collection[T]) refer(p *params, read func(*params) *T) *T {
	if raw := p.fields[c.kind]; len(raw) > 0 && raw[0] == '{' {
		inner, _ := p.object(c.kind, identifier.form)
		return read(inner)
	}
	var name string
	if p.text(c.kind, identifier, &name) {
		if object := c.lookup(name); object != nil {
			return object
		}
		p.failf(http.StatusNotFound, c.kind, "%q does not exist", name)
	}
	return new(T)
}

// get is the operation that retrieves an object.
func (c *collection[T]) get(name string, _ []byte) (any, *problem) {
	object, p := c.find(name)
	return object, p
}

// update returns the operation that changes an object. It changes a copy, which replaces the object
// only if there was no problem.
func (c *collection[T]) update(change func(*T, *params)) operation {
	return func(name string, body []byte) (any, *problem) {
		object, p := c.find(name)
		if p != nil {
			return nil, p
		}
		sent, p := readParams(body)
		if p != nil {
			return nil, p
		}
		changed := *object
		change(&changed, sent)
		if p := sent.problem(); p != nil {
			return nil, p
		}
		*object = changed
		c.touch(object)
		return object, nil
	}
}

// create returns the operation that makes an object: read makes it from the parameters and stores
// nothing, and add stores it.
//
// A composite request is thus validated as a whole before anything is stored. If one of its
// references already exists, the objects stored before it stay, because the documentation does not
// say that such a request is atomic, and a fake that is kinder than the service would hide
// mistakes.
func create[T any](read func(*params) *T, add func(object *T, path string) *problem) operation {
	return func(_ string, body []byte) (any, *problem) {
		sent, p := readParams(body)
		if p != nil {
			return nil, p
		}
		object := read(sent)
		if p := sent.problem(); p != nil {
			return nil, p
		}
		if p := add(object, ""); p != nil {
			return nil, p
		}
		return object, nil
	}
}
