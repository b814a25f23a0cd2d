"use strict";
{
  const answer = location.search + location.hash;
  history.replaceState(null, "", location.pathname);

  const parsed = new Promise((resolve) => {
    document.addEventListener("DOMContentLoaded", resolve, { once: true });
  });
  const show = async (state, title, text) => {
    await parsed;
    document.querySelector("main").dataset.state = state;
    document.title = `${title} – gatepass`;
    document.getElementById("title").textContent = title;
    document.getElementById("text").textContent = text;
    document.getElementById("close").hidden = state === "empty";
  };
  const deliver = async () => {
    // The mode stays `cors`: in any other, a page without a referrer sends `Origin: null`.
    const response = await fetch("{delivery}", {
      method: "POST",
      headers: { "Content-Type": "{type}" },
      body: answer,
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
    });
    if (response.status === 410) {
      await show("empty", "Already answered", "This login has its answer. The terminal says what came of it.");
    } else if (response.ok) {
      const verdict = await response.json();
      await show(verdict.state, verdict.title, verdict.text);
    } else {
      await show("bad", "The answer was not taken", "gatepass could not read what this page sent. The terminal says more; run the login again.");
    }
  };
  deliver().catch(() => {
    show("bad", "This login is over", "gatepass does not wait for an answer any more: it took too long, or was stopped. Run the login again.");
  });
}
