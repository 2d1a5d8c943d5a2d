import { $, capital, singular, quiet, el, fill, load, money, decimal, minorUnits, pretty, code, calls, form, random, local } from "./dom.js";

const shown = 200; // rows of the list

let state;
let selected = "";
let drawn;

const kinds = { bcus: "customers", bacc: "accounts", bill: "bills" };
const kindOf = (id) => kinds[id.split("_")[0]] ?? "payment_requests";

const find = (id) => (state?.[kindOf(id)] ?? []).find((o) => o.id === id);

const isOpen = (o) => (o.status ? ["unpaid", "active"].includes(o.status) : Boolean(o.currency));

const title = (o) => o.name ?? o.external_reference ?? o.description ?? o.id;

function amount(o) {
	if (o.status === "unpaid") return money(o.amount_remaining, o.currency) + " left";
	const text = money(o.amount_due ?? o.amount ?? o.balance, o.currency);
	return text && o.balance !== undefined ? "balance " + text : text;
}

function tree() {
	const bills = Map.groupBy(state.bills, (b) => b.account_id ?? b.customer_id);
	const accounts = Map.groupBy(state.accounts, (a) => a.customer_id);
	const below = (id, depth) => (bills.get(id) ?? []).map((b) => [b, depth]);
	return [
		...state.payment_requests.toReversed().map((r) => [r, 0]),
		...state.customers.toReversed().flatMap((c) => [[c, 0], ...(accounts.get(c.id) ?? []).flatMap((a) => [[a, 1], ...below(a.id, 2)]), ...below(c.id, 1)]),
	];
}

function list() {
	const text = $("ledger-search").value.trim().toLowerCase();
	const all = tree();
	const owners = new Map([...state.customers, ...state.accounts].map((o) => [o.id, o]));
	// A search finds the bills of a customer too.
	const words = (o) => (o ? [...Object.values(o), amount(o), words(owners.get(o.account_id)), words(owners.get(o.customer_id))].join("\n").toLowerCase() : "");
	const found = text ? all.filter(([o]) => words(o).includes(text)) : all;
	const count = `${found.length} ${found.length === 1 ? "entry" : "entries"}`;
	$("ledger-count").textContent = all.length === 0 ? "Nothing yet: click New bill." : found.length === 0 ? "Nothing matches." : found.length > shown ? `${count}: the first ${shown} are shown` : count;
	const focused = document.activeElement?.closest?.("#objects li")?.dataset.id;
	fill($("objects"), found.slice(0, shown).map(([o, depth]) => el("li", { class: "depth-" + (text ? 0 : depth), "data-id": o.id },
		el("a", { href: "#ledger/" + o.id, ariaCurrent: o.id === selected ? "true" : undefined, testid: "object-" + kindOf(o.id) },
			el("span", { class: "kind", text: capital(singular(kindOf(o.id))) }), el("span", { class: "what", text: title(o) }),
			el("span", { class: "note", text: [o.name && o.external_reference, amount(o)].filter(Boolean).join(" · ") }),
			o.status && el("span", { class: "code " + (o.status === "paid" ? "good" : isOpen(o) ? "waits" : "bad"), text: o.status })))));
	if (focused) $("objects").querySelector(`[data-id="${CSS.escape(focused)}"] a`)?.focus();
}

function payForm(o) {
	const currency = o.currency;
	const left = ({ amount_remaining: rest, amount, balance }) => ((rest ??= amount ?? balance) > 0 ? decimal(rest, currency) : "");
	const f = form({
		prefix: "pay-", inputs: {
			amount: { label: `Amount in ${currency}`, value: left(o), required: true, inputMode: "decimal" },
			deliver: { label: "Tell your endpoint", options: [["", "now"], ["hold", "later: hold the event back"]] },
		},
		call: (v) => ({ method: "POST", path: "/_mock/payments", body: { to: o.id, amount: v.amount.trim(), deliver: v.deliver || undefined } }),
		submit: "Pay", testid: "pay",
		done: async () => {
			await reload();
			f.querySelector("input").value = left(find(o.id) ?? o);
			f.dispatchEvent(new Event("input"));
		},
		text: ({ json: r }) => {
			const paid = `${r.money} paid`;
			const stays = o.balance === undefined ? "" : " The balance stays: your program sets it.";
			return r.attempts === 0 ? `${paid}. The event was not sent: open it in Live to deliver it.`
				: r.acknowledged ? `${paid}. Your endpoint responded ${r.status}.${stays}` : [`${paid}, but your endpoint did not acknowledge the event: ${r.error ?? r.status}. It is sent again: see Live.`, true];
		},
	});
	return f;
}

function balanceForm(o) {
	return form({
		prefix: "balance-", inputs: {
			balance: { label: "Balance", value: o.balance === undefined ? "" : decimal(o.balance, o.currency), required: true, inputMode: "decimal", hint: "what the customer owes; below 0 is a credit" },
			currency: { label: "Currency", value: o.currency ?? "ZAR", required: true },
		},
		call: (v) => ({ method: "PATCH", path: `/billing/${kindOf(o.id)}/${o.id}`, body: { balance: minorUnits(v.balance, v.currency), currency: v.currency } }),
		submit: "Set balance", testid: "set-balance", done: reload, text: () => "The balance is set.",
	});
}

function billForm(o) {
	const number = random().slice(0, 6).toUpperCase();
	const known = (reference) => state.customers.some((c) => c.external_reference === reference || c.id === reference);
	return form({
		prefix: "bill-", inputs: {
			...(o ? {} : {
				customer: { label: "Customer's reference", value: state.customers.at(-1)?.external_reference ?? "CUSTOMER-" + number, required: true, hint: "a new reference creates a customer" },
				customerName: { label: "Customer's name", value: "John Doe", when: (v) => !known(v.customer.trim()) },
			}),
			reference: { label: "Bill's reference", value: "INV-" + number, required: true },
			amount: { label: "Amount", value: "20.00", required: true, inputMode: "decimal" },
			currency: { label: "Currency", value: o?.currency ?? "ZAR", required: true },
			due: { label: "Due (optional)", type: "date" },
		},
		call: (v) => {
			const customer = v.customer?.trim();
			const to = o ? { [singular(kindOf(o.id))]: o.id } : { customer: known(customer) ? customer : { external_reference: customer, name: v.customerName || undefined } };
			return { method: "POST", path: "/billing/bills", body: {
				...to, external_reference: v.reference.trim(), currency: v.currency, amount_due: minorUnits(v.amount, v.currency, 1), due_date: v.due || undefined,
			} };
		},
		submit: "Raise the bill", testid: "raise-bill",
		done: async (r) => { await reload(); location.hash = "ledger/" + r.json.id; },
	});
}

function section(name, ...content) {
	return el("details", { class: "card", open: name === "Record a payment" }, el("summary", {}, el("h4", { text: name })), ...content);
}

// Forms keep their input while the facts of their object change.
function detail() {
	const box = $("object");
	if (selected === "new") {
		if (box.dataset.id === "new") return;
		box.dataset.id = "new";
		fill(box, el("h3", { text: "New bill", tabIndex: -1 }), el("div", { class: "card" }, billForm()));
		return;
	}
	const o = find(selected);
	if (!o) {
		box.dataset.id = "";
		fill(box, quiet(selected ? `There is no ${selected} any more.` : tree().length ? "Choose an entry." : ""));
		return;
	}
	const kind = kindOf(o.id);
	const open = isOpen(o);
	const shown = [o.id, o.status, o.currency, title(o)].join();
	if (box.dataset.id !== shown) {
		box.dataset.id = shown;
		fill(box,
			el("h3", { text: capital(`${singular(kind)} ${title(o)}`), tabIndex: -1, testid: "object-title" }),
			el("div", { id: "object-facts" }),
			open && el("p", {}, el("a", { class: "button", href: "/_pay/" + o.id, target: "_blank", text: "Pay as your customer ↗", testid: "object-pay-link" })),
			open && section("Record a payment", payForm(o)),
			(kind === "customers" || kind === "accounts") && [section("New bill", billForm(o)), section("Set balance", balanceForm(o))],
			kind === "bills" && o.status !== "voided" && section("Void", calls([{ label: "Void the bill", danger: true, testid: "void", text: () => "The bill is voided: it can no longer be paid.", call: { method: "POST", path: `/billing/bills/${o.id}/void` } }], reload)),
			el("div", { id: "object-data" }));
	}
	fill($("object-facts"), facts(o));
	const data = $("object-data");
	const text = JSON.stringify([o, related(o)]);
	if (data.dataset.text !== text) {
		data.dataset.text = text;
		const { payments, events } = related(o);
		const status = ({ attempts: a = [] }) => (a.length ? a.at(-1).status || "no response" : "not sent");
		fill(data,
			items("Payments", "object-payments", payments, (p) => [money(p.amount, p.currency), p.status, local(p.created_at)]),
			items("Events", "object-events", events, (e) => [money(e.event.data?.amount, e.event.data?.currency), e.event.type, status(e), local(e.created_at)]),
			el("h4", { text: "JSON" }), code(pretty(o), "JSON of the object", "object-json"));
	}
}

function items(name, testid, list, line) {
	return [
		el("h4", { text: `${name} (${list.length})` }),
		el("div", { testid }, list.length ? list.map((o) => el("details", {}, el("summary", { text: line(o).filter(Boolean).join(" · ") }), code(pretty(o), name))) : quiet("None yet.")),
	];
}

function facts(o) {
	const amounts = { Due: o.amount_due, Paid: o.amount_paid, Left: o.amount_remaining, Amount: o.amount, Balance: o.balance };
	const pairs = Object.entries(amounts).map(([k, v]) => [k, money(v, o.currency)]);
	return el("dl", { class: "facts" }, [...pairs, ["Status", o.status], ["Reference", o.external_reference]].filter(([, v]) => v).map(([k, v]) => el("div", {}, el("dt", { text: k }), el("dd", { text: v }))));
}

function related(o) {
	const applied = state.payments.filter((p) => Object.values(p).includes(o.id));
	const ids = new Set([o.id, o.payment_id, ...applied.map((p) => p.payment_id)].filter(Boolean));
	const payments = state.payment_details.filter((p) => ids.has(p.id) || (p.status === "failed" && p.external_reference && p.external_reference === o.external_reference));
	for (const p of payments) ids.add(p.id);
	const events = (state.outbox ?? []).filter(({ event: e }) => Object.values(e.data ?? {}).some((id) => ids.has(id)));
	return { payments, events };
}

export async function reload() {
	state = await load("/_mock/state");
	const text = selected + JSON.stringify(state);
	if (text === drawn) return; // a click meets the row it was for
	drawn = text;
	list();
	detail();
}

export async function show(id) {
	const changed = id !== selected;
	selected = id;
	await reload();
	if (changed && id) $("object").querySelector("h3")?.focus();
}

export function start() {
	$("ledger-search").addEventListener("input", () => state && list());
}
