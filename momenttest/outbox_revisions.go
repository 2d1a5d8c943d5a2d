package momenttest

import "slices"

// OutboxAfter returns the events of [Handler.Outbox] that are new or have a new attempt since a
// revision, and the revision for the next call. The oldest change comes first. The first call
// passes 0.
func (h *Handler) OutboxAfter(revision int) (changed []Message, next int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	later := slices.DeleteFunc(slices.Clone(h.messages.ordered), func(m *message) bool { return m.revision <= revision })
	slices.SortFunc(later, func(a, b *message) int { return a.revision - b.revision })
	return copiedMessages(later), h.lastRevision
}

// revise sets a new revision of a message that changes.
func (h *Handler) revise(m *message) {
	h.lastRevision++
	m.revision = h.lastRevision
}
