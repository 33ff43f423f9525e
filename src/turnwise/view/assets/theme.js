// Runs before anything is drawn, so that a chosen theme does not flash. No choice: the system's.
(() => {
  try {
    const chosen = localStorage.getItem("turnwise-theme");
    if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  } catch {
    // storage is forbidden: the system's theme it is
  }
})();
