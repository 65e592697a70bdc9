for (const button of document.querySelectorAll(".copy")) {
    const code = button.parentNode.querySelector("code"), usual = button.textContent;
    const said = (text) => { button.textContent = text; setTimeout(() => { button.textContent = usual; }, 2000); };
    const select = () => { getSelection().selectAllChildren(code); said(button.dataset.selected); };
    button.hidden = false;
    button.addEventListener("click", () => navigator.clipboard
      ? navigator.clipboard.writeText(code.textContent).then(() => said(button.dataset.copied), select)
      : select());
  }