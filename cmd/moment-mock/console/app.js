import { $, capital, load, loadCurrencies } from "./dom.js";
import * as live from "./live.js";
import * as ledger from "./ledger.js";
import * as trouble from "./trouble.js";

const views = ["live", "ledger", "trouble"];
let view = "live";
let run; // until a restart, a reset or an import
let changed = true; // since the last reload
let reloaded = 0;

async function route() {
	const [name, id = ""] = location.hash.slice(1).split("/");
	if (name === "main") return $("main").focus();
	view = views.includes(name) ? name : "live";
	for (const v of views) {
		$(v).hidden = v !== view;
		const link = $("nav-" + v);
		link.ariaCurrent = v === view ? "page" : null;
	}
	document.title = capital(view) + " – moment-mock";
	try {
		if (view === "ledger") {
			$("nav-ledger").href = location.hash;
			await ledger.show(id);
		}
		if (view === "trouble") await trouble.refresh();
	} catch { /* poll reports it */ }
}

async function poll() {
	const health = await load("/_mock/health");
	const now = health.started_at + health.replaced;
	if (run !== now) live.forget(now);
	run = now;
	if (await live.poll()) changed = true;
	// Also without a change, because faults are not requests.
	if (Date.now() > reloaded + (changed ? 2000 : 10000)) {
		changed = false;
		reloaded = Date.now();
		if (view === "ledger") await ledger.reload();
		await trouble.refresh();
	}
	status(health.forward_to ? "Events go to " + health.forward_to : "Events go nowhere: start it with --forward-to", false);
}

function status(text, bad) {
	const s = $("status");
	if (s.textContent !== text) s.textContent = text;
	s.className = bad ? "bad" : "";
}

async function loop() {
	try {
		await poll();
	} catch (error) {
		status("No response from moment-mock: is it running? " + error.message, true);
	}
	setTimeout(loop, document.hidden ? 5000 : 400);
}

await loadCurrencies();
live.start();
ledger.start();
trouble.start(() => { changed = true; });
addEventListener("hashchange", route);
await route();
loop();
