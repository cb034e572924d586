// An answer as rows look at it.
export async function answerOf(response) {
  const text = await response.text();
  let body = text;
  try {
    body = JSON.parse(text);
  } catch {
    /* not JSON: the text itself */
  }
  return { status: response.status, headers: response.headers, header: (name) => response.headers.get(name), text, body };
}

export const count = (list, value) => list.filter((one) => one === value).length;
