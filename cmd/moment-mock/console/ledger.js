// Customers, accounts, bills and payment requests, and their actions.

import { $, el, fill, load, money, decimal, minorUnits, pretty, code, calls, form, random } from "./dom.js";

const shown = 200; // rows of the list

let state;
let selected = "";

const singular = { customers: "Customer", accounts: "Account", bills: "Bill", payment_requests: "Payment request" };

const kindOf = (id) => (id.startsWith("bcus_") ? "customers" : id.startsWith("bacc_") ? "accounts" : id.startsWith("bill_") ? "bills" : "payment_requests");

const find = (id) => (state?.[kindOf(id)] ?? []).find((o) => o.id === id);

const title = (o) => o.name ?? o.external_reference ?? o.description ?? o.id;

function amount(o) {
	if (o.amount_due !== undefined) return money(o.amount_remaining, o.currency) + " left";
	return money(o.amount ?? o.balance, o.currency);
}

// tree lists the objects, each below the one that it belongs to, the newest customers first.
function tree() {
	const children = new Map();
	const child = (parent, o, depth) => children.set(parent, [...(children.get(parent) ?? []), [o, depth]]);
	for (const b of state.bills) child(b.account_id ?? b.customer_id, b, b.account_id ? 2 : 1);
	const all = [];
	const accounts = new Map();
	for (const a of state.accounts) accounts.set(a.customer_id, [...(accounts.get(a.customer_id) ?? []), a]);
	for (const r of [...state.payment_requests].reverse()) all.push([r, 0]);
	for (const c of [...state.customers].reverse()) {
		all.push([c, 0]);
		for (const a of accounts.get(c.id) ?? []) all.push([a, 1], ...(children.get(a.id) ?? []));
		all.push(...(children.get(c.id) ?? []));
	}
	return all;
}

function list() {
	const text = $("ledger-search").value.trim().toLowerCase();
	const all = tree();
	const found = text ? all.filter(([o]) => [o.id, o.name, o.external_reference, o.email, o.description].some((v) => v?.toLowerCase().includes(text))) : all;
	const count = `${found.length} ${found.length === 1 ? "object" : "objects"}`;
	$("ledger-count").textContent = all.length === 0 ? "Nothing yet: raise a bill." : found.length > shown ? `${count}, of which the first ${shown} are shown: search to see others` : count;
	const focused = document.activeElement?.closest?.("#objects li")?.dataset.id;
	fill($("objects"), found.slice(0, shown).map(([o, depth]) => el("li", { class: "depth-" + (text ? 0 : depth), "data-id": o.id },
		el("a", { href: "#ledger/" + o.id, ariaCurrent: o.id === selected ? "true" : undefined, testid: "object-" + kindOf(o.id) },
			el("span", { class: "kind", text: singular[kindOf(o.id)] }), el("span", { class: "what", text: title(o) }),
			el("span", { class: "note", text: [o.name && o.external_reference, amount(o)].filter(Boolean).join(" · ") }),
			o.status && el("span", { class: "code " + (["paid", "active", "unpaid"].includes(o.status) ? o.status : "bad"), text: o.status })))));
	if (focused) $("objects").querySelector(`[data-id="${focused}"] a`)?.focus();
}

const field = (o) => ({ customers: "customer", accounts: "account" })[kindOf(o.id)];

function payForm(o) {
	const currency = o.currency;
	const due = o.amount_remaining ?? o.amount ?? o.balance;
	return form({
		inputs: [
			{ name: "amount", label: `Amount in ${currency}`, value: due > 0 ? decimal(due, currency) : "", required: true, inputMode: "decimal", testid: "pay-amount" },
			{ name: "deliver", label: "Its event", options: [["now", "delivered now"], ["hold", "held back"]], testid: "pay-deliver" },
		],
		call: (v) => ({ method: "POST", path: "/_mock/payments", body: { to: o.id, amount: v.amount.trim(), ...(v.deliver === "now" ? {} : { deliver: v.deliver }) } }),
		submit: "Pay", testid: "pay", done: reload,
		text: (r) => "Paid. " + (r.json.attempts === 0 ? "The event was not sent: it is in Live." : r.json.acknowledged ? `Your endpoint responded ${r.json.status}.` : `Your endpoint did not acknowledge the event: ${r.json.error ?? r.json.status}.`),
	});
}

function balanceForm(o) {
	return form({
		inputs: [
			{ name: "balance", label: "Balance", value: o.balance === undefined ? "" : decimal(o.balance, o.currency), required: true, inputMode: "decimal", hint: "what is owed; below 0 is a credit", testid: "balance" },
			{ name: "currency", label: "Currency", value: o.currency ?? "ZAR", required: true, testid: "balance-currency" },
		],
		call: (v) => ({ method: "PATCH", path: `/billing/${kindOf(o.id)}/${o.id}`, body: { balance: minorUnits(v.balance, v.currency), currency: v.currency } }),
		submit: "Set balance", testid: "set-balance", done: reload,
	});
}

// billForm raises a bill on an object, or on a customer who is named by reference.
function billForm(o) {
	const number = random(3).toUpperCase();
	const known = (reference) => state.customers.some((c) => c.external_reference === reference || c.id === reference);
	return form({
		inputs: [
			...(o ? [] : [
				{ name: "customer", label: "Customer's reference", value: state.customers.at(-1)?.external_reference ?? "CUSTOMER-" + number, required: true, hint: "a new one makes a new customer", testid: "bill-customer" },
				{ name: "customerName", label: "Customer's name", value: "John Doe", when: (v) => !known(v.customer.trim()), testid: "bill-customer-name" },
			]),
			{ name: "reference", label: "Bill's reference", value: "INV-" + number, required: true, testid: "bill-reference" },
			{ name: "amount", label: "Amount", value: "20.00", required: true, inputMode: "decimal", testid: "bill-amount" },
			{ name: "currency", label: "Currency", value: o?.currency ?? "ZAR", required: true, testid: "bill-currency" },
			{ name: "due", label: "Due", type: "date", testid: "bill-due" },
		],
		call: (v) => {
			const customer = v.customer?.trim();
			const to = o ? { [field(o)]: o.id } : { customer: known(customer) ? customer : { external_reference: customer, name: v.customerName || undefined } };
			return { method: "POST", path: "/billing/bills", body: {
				...to, external_reference: v.reference.trim(), currency: v.currency, amount_due: minorUnits(v.amount, v.currency), due_date: v.due || undefined,
			} };
		},
		submit: "Raise the bill", testid: "raise-bill",
		done: async (r) => { await reload(); location.hash = "ledger/" + r.json.id; },
	});
}

function section(name, ...content) {
	return el("details", { class: "card", open: name === "Pay" }, el("summary", {}, el("h4", { text: name })), ...content);
}

// detail shows an object. The forms stay as they are while its facts change.
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
		fill(box, el("p", { class: "quiet", text: selected ? `There is no ${selected} any more.` : "Choose something on the list to see and change it." }));
		return;
	}
	const kind = kindOf(o.id);
	const open = kind === "bills" ? o.status === "unpaid" : kind === "payment_requests" ? o.status === "active" : Boolean(o.currency);
	if (box.dataset.id !== o.id || box.dataset.open !== String(open)) {
		box.dataset.id = o.id;
		box.dataset.open = String(open);
		fill(box, 
			el("h3", { text: `${singular[kind]} ${title(o)}`, tabIndex: -1, testid: "object-title" }),
			el("div", { id: "object-facts" }),
			open && el("p", {}, el("a", { class: "button", href: "/_pay/" + o.id, target: "_blank", rel: "noopener", text: "Pay as your customer", testid: "object-pay-link" })),
			open && section("Pay", payForm(o)),
			(kind === "customers" || kind === "accounts") && [section("New bill", billForm(o)), section("Set balance", balanceForm(o))],
			kind === "bills" && o.status !== "voided" && section("Void", calls([{ label: "Void the bill", danger: true, testid: "void", call: { method: "POST", path: `/billing/bills/${o.id}/void` } }], reload)),
			el("div", { id: "object-data" }));
	}
	fill($("object-facts"), facts(o));
	const data = $("object-data");
	const text = JSON.stringify([o, related(o)]);
	if (data.dataset.text !== text) {
		data.dataset.text = text;
		const { payments, events } = related(o);
		fill(data, 
			el("h4", { text: "JSON" }), code(pretty(o), "JSON of the object", "object-json"),
			el("h4", { text: `Payments (${payments.length})` }), payments.length ? code(pretty(payments), "Payments", "object-payments") : el("p", { class: "quiet", text: "None yet." }),
			el("h4", { text: `Events (${events.length})` }), events.length ? code(pretty(events), "Events", "object-events") : el("p", { class: "quiet", text: "None yet." }));
	}
}

function facts(o) {
	const pairs = o.amount_due !== undefined
		? [["Due", money(o.amount_due, o.currency)], ["Paid", money(o.amount_paid, o.currency)], ["Left", money(o.amount_remaining, o.currency)], ["Status", o.status]]
		: [[o.amount === undefined ? "Balance" : "Amount", money(o.amount ?? o.balance, o.currency) || "none"], ["Status", o.status], ["Reference", o.external_reference]];
	return el("dl", { class: "facts", testid: "object-facts" }, pairs.filter(([, v]) => v).map(([k, v]) => el("div", {}, el("dt", { text: k }), el("dd", { text: v }))));
}

function related(o) {
	const applied = state.payments.filter((p) => [p.bill_id, p.account_id, p.customer_id].includes(o.id));
	const ids = new Set([o.id, o.payment_id, ...applied.map((p) => p.payment_id)].filter(Boolean));
	const payments = state.payment_details.filter((p) => ids.has(p.id) || (p.status === "failed" && p.external_reference && p.external_reference === o.external_reference));
	for (const p of payments) ids.add(p.id);
	const events = (state.outbox ?? []).filter(({ event: e }) => [e.data?.id, e.data?.payment_id, e.data?.bill_id, e.data?.account_id, e.data?.customer_id].some((id) => ids.has(id)));
	return { payments, events };
}

export async function reload() {
	state = await load("/_mock/state");
	list();
	detail();
}

// show shows an object, or the form for a new bill.
export async function show(id) {
	const changed = id !== selected;
	selected = id;
	await reload();
	if (changed && id) $("object").querySelector("h3")?.focus();
}

export function start() {
	$("ledger-search").addEventListener("input", () => state && list());
}
