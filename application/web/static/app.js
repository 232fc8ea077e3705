// What a page does beyond links and forms: poll calmly, copy, show a password, tell news, dialogs.
"use strict";

(() => {
  const one = (selector, within = document) => within.querySelector(selector);

  // Requests of htmx carry what forms carry.
  document.addEventListener("htmx:configRequest", (event) => {
    const token = one('meta[name="csrf"]');
    if (token && event.detail.verb !== "get") event.detail.headers["X-CSRF"] = token.content;
  });

  // A part that renews itself rests while nobody looks, and while somebody is busy inside it.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const part = event.target.closest("[data-calm]");
    if (part === null || event.detail.requestConfig.triggeringEvent) return;
    const busy = part.contains(document.activeElement) || one("details[open]", part);
    if (document.hidden || busy) event.preventDefault();
  });

  // News are told once, calmly, to whoever listens instead of looking.
  let told = one("[data-news]")?.textContent.trim();
  document.addEventListener("htmx:afterSettle", () => {
    const news = one("[data-news]")?.textContent.trim();
    if (news === undefined || news === told) return;
    told = news;
    one("#news").textContent = news;
  });

  // Loading is said after a moment, and after eight seconds that it still goes on.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const target = event.detail.target;
    const waits = [
      setTimeout(() => target.setAttribute("aria-busy", "true"), 300),
    ];
    const over = () => {
      waits.forEach(clearTimeout);
      target.removeAttribute("aria-busy");
    };
    event.detail.xhr.addEventListener("loadend", over, { once: true });
  });

  // A live view that is lost twice is asked for every five seconds until it is back.
  const live = one("[data-live]");
  if (live !== null) {
    const note = one("[data-live-note]", live);
    let lost = 0;
    let polling = null;
    const ask = () => window.htmx.trigger(one("[data-poll]", live), "poll");
    const say = (words) => {
      note.textContent = words;
      note.hidden = false;
      one("#news").textContent = words;
    };
    const rest = () => {
      clearInterval(polling);
      polling = null;
      lost = 0;
    };
    live.addEventListener("htmx:sseError", () => {
      lost += 1;
      if (lost < 2 || polling !== null || one("[data-over]", live)) return;
      say(note.dataset.lost);
      polling = setInterval(ask, 5000);
    });
    live.addEventListener("htmx:sseOpen", () => {
      if (polling !== null) {
        say(note.dataset.back);
        ask();
      }
      rest();
    });
    live.addEventListener("htmx:sseClose", () => {
      rest();
      ask(); // an answer that was on its way while the run ended may come last and show it before
    });
    document.addEventListener("htmx:afterSettle", () => {
      if (polling === null || one("[data-over]", live) === null) return;
      note.hidden = true;
      rest();
    });
  }

  const prepare = (within) => {
    for (const button of within.querySelectorAll("[data-copy], [data-show], [data-print], [data-pick-all]")) button.hidden = false;
  };
  prepare(document);
  document.addEventListener("htmx:afterSwap", () => prepare(document));

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button");
    if (button === null) return;
    if (button.dataset.copy !== undefined) {
      const source = button.dataset.copy ? one(button.dataset.copy) : one("code", button.parentElement);
      await navigator.clipboard.writeText(source.textContent);
      one("#news").textContent = button.textContent;
    }
    if (button.dataset.show) {
      const field = document.getElementById(button.dataset.show);
      const shown = field.type === "text";
      field.type = shown ? "password" : "text";
      const words = button.textContent;
      button.textContent = button.dataset.hideText;
      button.dataset.hideText = words;
    }
    if (button.dataset.print !== undefined) window.print();
    if (button.dataset.dialog) document.getElementById(button.dataset.dialog).showModal();
    if (button.dataset.close !== undefined) button.closest("dialog").close();
  });

  // Rows are picked one by one or all on the page; the button says how many.
  document.addEventListener("change", (event) => {
    const list = event.target.closest("[data-pick]");
    if (list === null) return;
    const boxes = [...list.querySelectorAll("input[name=id]")];
    const all = one("[data-pick-all]", list);
    if (event.target === all) for (const box of boxes) box.checked = all.checked;
    const picked = boxes.filter((box) => box.checked).length;
    all.checked = picked === boxes.length;
    all.indeterminate = picked > 0 && picked < boxes.length;
    one("[data-picked]", list).textContent = picked ? ` (${picked})` : "";
  });

  // A menu closes when somebody goes on elsewhere, or presses Escape.
  const menus = () => document.querySelectorAll("details.menu[open]");
  document.addEventListener("click", (event) => {
    for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of menus()) {
      menu.open = false;
      one("summary", menu).focus();
    }
  });

  // A form in error is read first; a link to QuickBooks' own sign-in is followed.
  one(".problems")?.focus();
  const away = one("a[data-follow]");
  if (away !== null) window.location.assign(away.href);

  // Times are those of the office; elsewhere the local one is told beside it.
  for (const time of document.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    const zone = /([+-]\d\d):(\d\d)$/.exec(time.dateTime);
    if (zone === null || Number.isNaN(at.getTime())) continue;
    const office = Number(zone[1]) * 60 + Math.sign(Number(zone[1])) * Number(zone[2]);
    if (office !== -at.getTimezoneOffset()) time.title = at.toLocaleString();
  }
})();
