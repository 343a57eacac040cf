// Asks the server. Who is not logged in any more is sent to log in.

const LONGEST_MS = 10000;

export async function ask(path, options = {}) {
  const response = await fetch(path, {
    signal: AbortSignal.timeout(LONGEST_MS),
    credentials: "same-origin",
    ...options,
  });
  if (response.status === 401) {
    location.assign("/login");
  }
  const text = await response.text();
  let answer = null;
  try {
    answer = text === "" ? null : JSON.parse(text);
  } catch {
    // Something in between has answered.
  }
  if (!response.ok) throw new Error(answer?.error ?? `${response.status} ${response.statusText}`);
  return answer;
}
