
document.documentElement.classList.add('scripts');
theme();
new GraphPage(JSON.parse($('graphs').textContent));
document.documentElement.dataset.ready = 'true';
