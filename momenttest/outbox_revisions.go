package momenttest

import "slices"

// OutboxAfter returns the events of [Handler.Outbox] that have changed since a revision, because
// they are new or have a new attempt, and the revision from which a program that polls goes on. The
// oldest change comes first. The first revision is 0.
func (h *Handler) OutboxAfter(revision int) (changed []Message, next int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	later := slices.DeleteFunc(slices.Clone(h.messages.ordered), func(m *message) bool { return m.revision <= revision })
	slices.SortFunc(later, func(a, b *message) int { return a.revision - b.revision })
	return copiedMessages(later), h.lastRevision
}

// revise gives a message that changes a new revision.
func (h *Handler) revise(m *message) {
	h.lastRevision++
	m.revision = h.lastRevision
}
