// What the dashboard adds to Voila's page: signs of life, the address, the presenter, the minutes.
(() => {
  const GONE = 'The kernel behind this page is gone: what stands here is from before, and nothing answers.'
  const CUT = 'The connection is cut: what stands here may be from before. It is tried again.'
  const LONG = 10000 // milliseconds after which what is presented is noted
  const Socket = window.WebSocket
  const name = sessionStorage.mmVisitor ??= Math.random().toString(36).slice(2)
  let kernel, line, heard = 0, alive = true, now, news = {}, noted

  // To know when the connection to the kernel ends.
  window.WebSocket = class extends Socket {
    constructor (...given) {
      super(...given)
      if (String(given[0]).includes('/channels')) kernel = this
    }
  }

  const find = selector => document.querySelector(selector)
  const part = selector => find('#mm-meeting ' + selector)
  const box = () => find('.mm-explorer:has(.mm-verdict) .mm-state input') ?? find('.mm-explorer .mm-state input')
  const said = () => find('.mm-explorer .mm-verdict b')?.textContent ?? ''
  const send = words => line?.readyState === 1 && line.send(JSON.stringify(words))
  const add = (kind, words) => send({ add: kind, words })
  const note = () => add('shown', { state: now, said: said() })

  function show (state) {
    box().value = '?' + state
    box().dispatchEvent(new Event('change', { bubbles: true }))
  }

  function look () {
    const old = heard && Date.now() - heard > 2500
    const lost = box() && kernel?.readyState !== 1
    const words = !alive ? GONE : old || lost ? CUT : ''
    document.documentElement.classList.toggle('mm-cut', Boolean(words))
    const gone = find('#mm-gone')
    if (gone && gone.firstChild.textContent !== words) gone.firstChild.textContent = words
    if (!line && find('#jupyter-config-data') && find('#mm-meeting')) begin()
    const state = box()?.value
    if (state === undefined || state.startsWith('?')) return
    if (now === undefined && location.search) show(location.search.slice(1))
    else if (state !== now) changed(state)
    now ??= state
  }

  function changed (state) {
    now = state
    history.replaceState(null, '', '?' + state)
    clearTimeout(noted)
    if (!news.presenting) return
    send({ state })
    noted = setTimeout(note, LONG)
  }

  function begin () {
    document.documentElement.append(find('#mm-gone'), find('#mm-meeting')) // in the body `fixed` is not fixed
    part('[name=present]').onclick = () => send({ present: true, state: now })
    part('[name=note]').onclick = note
    part('[name=follow]').onchange = follow
    find('#mm-gone button').onclick = () => location.reload()
    for (const form of document.querySelectorAll('#mm-meeting form')) {
      form.onsubmit = event => {
        event.preventDefault()
        add(form.getAttribute('name'), { state: now ?? '', ...Object.fromEntries(new FormData(form)) })
        for (const typed of form.querySelectorAll('textarea')) typed.value = ''
      }
    }
    connect()
  }

  function connect () {
    const { kernelId } = JSON.parse(find('#jupyter-config-data').textContent)
    line = new Socket(`${location.origin.replace('http', 'ws')}/mmmodel/visit/${kernelId}?name=${name}`)
    line.onmessage = message => hear(JSON.parse(message.data))
    line.onclose = () => setTimeout(connect, 1000)
  }

  function hear (words) {
    heard = Date.now()
    alive = words.alive ?? alive
    if ('refused' in words) part('[role=status]').textContent = words.refused
    if (!('minutes' in words)) return
    const first = words.presenting && !news.presenting
    news = words
    if (first && now !== undefined) send({ state: now })
    part('[role=status]').textContent = news.presenting ? 'This page presents.' : ''
    part('summary').textContent = `Meeting: ${news.visitors} here`
    part('[name=present]').hidden = news.presenting
    part('[name=follow]').parentNode.hidden = news.presenting
    part('datalist').replaceChildren(...news.fixes.map(fix => new Option(fix)))
    write(news.minutes)
    follow()
  }

  function follow () {
    if (part('[name=follow]').checked && !news.presenting && news.shown && box() && news.shown !== now) show(news.shown)
  }

  function write ({ decision, votes, notes, shown }) {
    const lines = [
      ...decision.map(entry => ['decided', entry.said]),
      ...votes.map(entry => [`${entry.name} is`, `${entry.vote === 'abstain' ? 'abstaining on' : entry.vote} ${entry.fix}`]),
      ...notes.map(entry => [entry.at.slice(11), entry.said, entry.state]),
      ...shown.map(entry => [entry.at.slice(11), entry.said || entry.state, entry.state])
    ]
    part('ul').replaceChildren(...lines.map(([when, words, state]) => {
      const item = document.createElement('li')
      item.append(`${when} `, state ? link(words, state) : words)
      return item
    }))
  }

  function link (words, state) {
    const there = document.createElement('a')
    there.textContent = words
    there.href = '?' + state
    there.title = state
    there.onclick = event => { event.preventDefault(); show(state) }
    return there
  }

  setInterval(look, 200)
})()
