"use strict";
{
  const response = location.search + location.hash;
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
    // Keep the mode `cors`: in any other mode, a page without a referrer sends `Origin: null`.
    const reply = await fetch("{delivery}", {
      method: "POST",
      headers: { "Content-Type": "{type}" },
      body: response,
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
    });
    if (reply.status === 410) {
      await show("empty", "Already received", "gatepass has received the response to this login. The terminal shows the result.");
    } else if (reply.headers.get("Content-Type") === "application/json") {
      const result = await reply.json();
      await show(result.state, result.title, result.text);
    } else {
      await show("bad", "The response was rejected", "gatepass could not read what this page sent. See the terminal, and run the login again.");
    }
  };
  deliver().catch(() => {
    show("bad", "This login has ended", "gatepass no longer waits for a response: the login timed out or was stopped. Run the login again.");
  });
}
