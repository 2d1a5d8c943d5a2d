package momenttest

import (
	"maps"
	"net/http"
	"slices"
)

// A collection holds all objects of a kind, each under its id and under its
// external reference. The two cannot meet: no reference begins like an id.
type collection[T any] struct {
	kind    string // as the parameter that refers to one is called: "customer"
	objects map[string]*T
	ordered []*T // as they were created
}

func newCollection[T any](kind string) collection[T] {
	return collection[T]{kind: kind, objects: map[string]*T{}}
}

func (c collection[T]) clone() collection[T] {
	return collection[T]{c.kind, maps.Clone(c.objects), slices.Clip(c.ordered)}
}

// find looks an object up by its id or its external reference.
func (c *collection[T]) find(id string) (*T, *problem) {
	if object, ok := c.objects[id]; ok {
		return object, nil
	}
	return nil, newProblem(http.StatusNotFound, "No %s has the id or external reference %q.", c.kind, id)
}

// add stores a new object. One that is stored already is left as it is: a composite
// request may name it. The path is that of the object's own parameters.
func (c *collection[T]) add(object *T, id, reference, path string) *problem {
	if c.objects[id] == object {
		return nil
	}
	if _, taken := c.objects[id]; taken { // only a seeded one can be
		return newProblem(http.StatusConflict, "%sid %q belongs to another %s.", path, id, c.kind)
	}
	if _, taken := c.objects[reference]; taken {
		return newProblem(http.StatusConflict, "%sexternal_reference %q belongs to another %s.", path, reference, c.kind)
	}
	c.objects[id], c.objects[reference] = object, object
	c.ordered = append(c.ordered, object)
	return nil
}

// refer reads the parameter of the collection's kind: an id or external reference,
// or an object, which is then made into a new one by read. After a problem the result is empty.
func (c *collection[T]) refer(p *params, read func(*params) *T) *T {
	if raw := p.fields[c.kind]; len(raw) > 0 && raw[0] == '{' {
		inner, _ := p.object(c.kind, identifier.form)
		return read(inner)
	}
	var id string
	if p.text(c.kind, identifier, &id) {
		if object, ok := c.objects[id]; ok {
			return object
		}
		p.failf(http.StatusNotFound, c.kind, "%q does not exist", id)
	}
	return new(T)
}

// get is the operation that retrieves an object.
func (c *collection[T]) get(id string, _ []byte) (any, *problem) {
	object, p := c.find(id)
	return object, p
}

// update gives the operation that changes an object. The change is made to a copy,
// which takes the object's place only if there was no problem.
func (c *collection[T]) update(change func(*T, *params)) operation {
	return func(id string, body []byte) (any, *problem) {
		object, p := c.find(id)
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
		return object, nil
	}
}

// create gives the operation that makes an object: read makes it of the parameters
// and stores nothing, add stores it.
//
// A composite request is thus validated as a whole before anything is stored. If one
// of its references then turns out to be taken, the parts stored before it stay:
// that such a request is atomic is not documented, and a fake that is kinder than
// the service would hide mistakes.
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
