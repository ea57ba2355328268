// The official client for JavaScript against a server of the embedded pair,
// unchanged. The server is found by OPENAI_BASE_URL and OPENAI_API_KEY; see
// ../serve.sh.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import OpenAI from 'openai'

const model = 'embedded-reasoner'
const question = 'What is (12 + 7) * 3 - 8?'
const messages = [{ role: 'user', content: question }]
const prompt = `<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n<think>\n`
const schema = {
  type: 'object',
  properties: { a: { type: 'integer' }, b: { type: 'integer' } },
  required: ['a', 'b'],
  additionalProperties: false,
}

const client = new OpenAI()
const chat = (more) => client.chat.completions.create({ model, messages, temperature: 0, ...more })
const isNumbers = (text) => assert.deepEqual(Object.keys(JSON.parse(text)).sort(), ['a', 'b'])

test('models', async () => {
  const ids = []
  for await (const m of client.models.list()) ids.push(m.id)
  assert.deepEqual(ids, [model])
  assert.equal((await client.models.retrieve(model)).id, model)
})

test('chat', async () => {
  const answer = await chat()
  assert.match(answer.choices[0].message.content, /49/)
  assert.equal(answer.choices[0].finish_reason, 'stop')

  let content = ''
  let usage
  for await (const chunk of await chat({ stream: true, stream_options: { include_usage: true } })) {
    content += chunk.choices[0]?.delta?.content ?? ''
    usage = chunk.usage ?? usage
  }
  assert.equal(content, answer.choices[0].message.content)
  assert.deepEqual(usage, answer.usage)
})

test('stream helper', async () => {
  const stream = client.chat.completions.stream({ model, messages, temperature: 0, n: 2 })
  const final = await stream.finalChatCompletion()
  assert.equal(final.choices.length, 2)
  assert.match(final.choices[1].message.content, /49/)
})

test('a stream that is left', async () => {
  const stream = await chat({ stream: true, ignore_eos: true })
  for await (const chunk of stream) {
    assert.equal(chunk.object, 'chat.completion.chunk')
    break
  }
})

test('log-probabilities', async () => {
  const answer = await chat({ logprobs: true, top_logprobs: 2, max_completion_tokens: 6 })
  const tokens = answer.choices[0].logprobs.content
  assert.equal(tokens.length, 6)
  for (const t of tokens) assert.equal(t.top_logprobs.length, 2)
})

test('structured output', async () => {
  const answer = await client.chat.completions.parse({
    model, messages, temperature: 0,
    response_format: {
      type: 'json_schema',
      json_schema: { name: 'numbers', strict: true, schema },
    },
  })
  isNumbers(answer.choices[0].message.content)
})

test('tools', async () => {
  const tools = [{ type: 'function', function: { name: 'add', parameters: schema } }]
  for (const tool_choice of ['required', { type: 'function', function: { name: 'add' } }]) {
    const answer = await chat({ tools, tool_choice })
    assert.equal(answer.choices[0].finish_reason, 'tool_calls')
    assert.equal(answer.choices[0].message.tool_calls[0].function.name, 'add')
    isNumbers(answer.choices[0].message.tool_calls[0].function.arguments)

    const stream = client.chat.completions.stream({ model, messages, temperature: 0, tools, tool_choice })
    const final = await stream.finalChatCompletion()
    isNumbers(final.choices[0].message.tool_calls[0].function.arguments)
  }
})

test('completions', async () => {
  const ask = (more) => client.completions.create({ model, prompt, temperature: 0, max_tokens: 20, ...more })
  const answer = await ask({ echo: true, logprobs: 1 })
  assert.ok(answer.choices[0].text.startsWith(prompt))
  assert.equal(answer.choices[0].logprobs.token_logprobs[0], null)
  let text = ''
  for await (const chunk of await ask({ stream: true })) text += chunk.choices[0].text
  assert.equal(prompt + text, answer.choices[0].text)
})

test('a group', async () => {
  const answer = await chat({ temperature: undefined, seed: 1, deepprune: { traces: 16 } })
  assert.equal(answer.deepprune.answer, '49')
  assert.equal(answer.deepprune.traces.length, 16)
})

test('errors', async () => {
  await assert.rejects(chat({ top_p: 3 }), (e) => e instanceof OpenAI.BadRequestError && e.param === 'top_p')
  await assert.rejects(chat({ model: 'gpt-5' }), (e) => e instanceof OpenAI.NotFoundError && e.code === 'model_not_found')
  const other = new OpenAI({ apiKey: 'sk-nobody-nobody-nobody' })
  await assert.rejects(other.models.list(), OpenAI.AuthenticationError)
})
