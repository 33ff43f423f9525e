// Every text that can be seen whose contrast with its ground is below `least`: [["text", "class", ratio], ...].
(least) => {
  const parse = (text) => {
    const [, space, inner] = text.match(/^(rgba?|color)\((.*)\)$/) ?? [];
    if (!space) throw new Error(`a colour of an unknown form: ${text}`);
    const parts = inner.replace("srgb ", "").split(/[\s,/]+/).map(Number);
    const scale = space === "color" ? 1 : 255;
    return [...parts.slice(0, 3).map((part) => part / scale), parts[3] ?? 1];
  };
  const over = ([r, g, b, a], ground) => [r, g, b].map((part, i) => part * a + ground[i] * (1 - a));
  const light = (rgb) => rgb.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (node) => {
    if (!node) return [1, 1, 1];
    const own = parse(getComputedStyle(node).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : over(own, ground(node.parentElement));
  };
  const seen = (node) => node.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const opacity = (node) => (node ? Number(getComputedStyle(node).opacity) * opacity(node.parentElement) : 1);
  const found = [];
  let measured = 0;
  for (const node of document.body.querySelectorAll("*")) {
    const own = [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.data.trim());
    const written = node.matches("input, textarea, select");
    if (!(own || written) || !seen(node) || node.closest(".unseen, option, .skip")) continue;
    measured += 1;
    const style = getComputedStyle(node);
    const back = ground(node);
    const inks = [node.ownerSVGElement ? style.fill : style.color];
    if (node.placeholder) inks.push(getComputedStyle(node, "::placeholder").color);
    for (const ink of inks) {
      const [red, green, blue, alpha] = parse(ink);
      const [a, b] = [light(over([red, green, blue, alpha * opacity(node)], back)), light(back)].sort((x, y) => y - x);
      const ratio = (a + 0.05) / (b + 0.05);
      if (ratio < least) found.push([(node.textContent || node.placeholder || "").slice(0, 30), String(node.getAttribute("class")), Number(ratio.toFixed(2))]);
    }
  }
  return { low: found, seen: measured };
}
